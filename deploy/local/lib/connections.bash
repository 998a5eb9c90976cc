# shellcheck shell=bash disable=SC2154
# What tests of connections need besides a PostgreSQL: TLS, a socket, users that may come in only one
# way, and a PgBouncer with session pooling before it. All of it in $dir.

# Installs what is missing; several tests may want it at once.
provide_connections() {
    mkdir -p "$repository/.local"
    (
        flock 9
        local packages=()
        [[ -x /usr/sbin/pgbouncer ]] || packages+=(pgbouncer)
        command -v openssl >/dev/null || packages+=(openssl)
        ((${#packages[@]} == 0)) || apt_install "${packages[@]}"
    ) 9>"$repository/.local/connections.lock"
}

# Starts PostgreSQL alone, with TLS as Debian's default cluster has it.
connections_up() {
    choose_ports
    install_missing_packages given ''
    provide_connections
    local bin home
    bin=$(postgres_bin)
    if [[ ! -e $dir/postgres/data/PG_VERSION ]]; then
        postgres_init "$bin"
        home=$(readlink -f "$dir/postgres")
        make_certificates "$home"
        be_particular "$home"
    fi
    home=$(readlink -f "$dir/postgres")
    postgres_start
    pgbouncer_start "$home"
    write_env amqp://none "$(postgres_url)"
    printf 'export POSTHORN_TEST_%s=%q\n' PGBOUNCER_PORT "$pgbouncer_port" CERTIFICATES "$home" \
        SOCKETS "$(readlink "$home/socket")" >>"$dir/env"
}

# An authority, and a certificate of it for `localhost`, not for the address; and one that the server
# signed itself.
make_certificates() {
    as_postgres bash -s "$1" >/dev/null 2>&1 <<'END' || fail "cannot make certificates"
set -euo pipefail
cd "$1" && umask 077
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj '/CN=An authority' \
    -keyout ca.key -out ca.crt
openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=server -keyout server.key -out server.csr
openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -out server.crt \
    -extfile <(printf 'subjectAltName=DNS:localhost\nbasicConstraints=CA:FALSE\n')
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=own \
    -addext subjectAltName=DNS:localhost -keyout own.key -out own.crt
chmod 755 . && chmod 644 ca.crt own.crt
END
}

# The users only_tls and only_plain come in by one way each.
be_particular() {
    local socket # elsewhere: a socket's path may be too long
    socket=$(as_postgres mktemp -d /tmp/posthorn-socket.XXXXXX)
    as_postgres chmod 755 "$socket"
    as_postgres ln -s "$socket" "$1/socket"
    as_postgres tee -a "$1/data/postgresql.conf" >/dev/null <<END
ssl = on
ssl_cert_file = '$1/server.crt'
ssl_key_file = '$1/server.key'
unix_socket_directories = '$socket'
END
    as_postgres tee "$1/data/pg_hba.conf" >/dev/null <<'END'
local     all all                             trust
hostssl   all only_tls            127.0.0.1/32 trust
hostnossl all only_plain          127.0.0.1/32 trust
host      all only_tls,only_plain all          reject
host      all all                 127.0.0.1/32 trust
host      all all                 ::1/128      trust
END
}

pgbouncer_start() {
    pgbouncer_port=$(random_free_port)
    as_postgres tee "$1/pgbouncer.ini" >/dev/null <<END
[databases]
* = host=127.0.0.1 port=$postgres_port
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = $pgbouncer_port
unix_socket_dir =
auth_type = trust
auth_file = $1/users
pool_mode = session
default_pool_size = 50
pidfile = $1/pgbouncer.pid
logfile = $1/pgbouncer.log
END
    echo '"posthorn" ""' | as_postgres tee "$1/users" >/dev/null
    as_postgres /usr/sbin/pgbouncer -q -d "$1/pgbouncer.ini" \
        </dev/null >/dev/null 2>&1 {lock}>&- || fail "PgBouncer does not start"
    wait_for 20 pgbouncer_listens || fail "PgBouncer does not listen"
}
pgbouncer_listens() { ! port_is_free "$pgbouncer_port"; }

connections_stop() {
    local home pid
    home=$(readlink -f "$dir/postgres")
    pid=$(cat "$home/pgbouncer.pid" 2>/dev/null) || return 0
    kill -INT "$pid" 2>/dev/null || true
    wait_for 20 is_dead "$pid" || kill -KILL "$pid" 2>/dev/null || true
}

connections_remove() {
    local socket
    socket=$(readlink "$dir/postgres/socket") || return 0
    rm -rf "$socket"
}
