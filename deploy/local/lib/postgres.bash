# shellcheck shell=bash disable=SC2154
# A private PostgreSQL in $dir/postgres, reached by TCP only (a socket's path may be too long).

postgres_url() { echo "postgres://posthorn@127.0.0.1:$postgres_port/posthorn"; }

# Runs "$@" as a user that PostgreSQL accepts: it refuses root.
as_postgres() {
    if ((EUID == 0)); then (cd / && runuser -u postgres -- "$@"); else "$@"; fi
}

# Prints the process id of this DIR's server; fails if it is not running.
postgres_pid() {
    local data
    data=$(readlink -f "$dir/postgres/data") && pid_in "$data/postmaster.pid" "$data" as_postgres
}
postgres_is_running() { postgres_pid >/dev/null; }

postgres_start() {
    read_ports
    local home bin
    postgres_is_running && say "PostgreSQL: already running on port $postgres_port" && return
    bin=$(postgres_bin)
    [[ -e $dir/postgres/data/PG_VERSION ]] || postgres_init "$bin"
    home=$(readlink -f "$dir/postgres")
    forget_stale_pid "$home/data/postmaster.pid"

    as_postgres "$bin/pg_ctl" start --wait --timeout=60 --silent -D "$home/data" -l "$home/log" \
        -o "-p $postgres_port" </dev/null >/dev/null 2>&1 {lock}>&- || {
        tail -n 30 "$home/log" >&2
        fail "PostgreSQL did not start; its last words are above, all of them in $home/log"
    }
    create_database "$bin"
    say "PostgreSQL: running on port $postgres_port"
}

# PostgreSQL treats the pid file of a crashed server well, unless something else got its process id.
forget_stale_pid() {
    if is_alive "$(head -n 1 "$1" 2>/dev/null)"; then rm -f "$1"; fi
}

# Makes $dir/postgres: a link to a folder elsewhere if the user postgres may not enter DIR.
postgres_init() {
    local home=$dir/postgres
    rm -rf "$(readlink -f "$home")" "$home"
    if ((EUID != 0)); then
        mkdir "$home"
    elif as_postgres test -x "$dir"; then
        install -d -o postgres "$home"
    else
        ln -s "$(as_postgres mktemp -d /var/tmp/posthorn-postgres.XXXXXX)" "$home"
        home=$(readlink -f "$home")
        say "PostgreSQL: the user postgres may not enter $dir, so the data is in $home"
    fi
    as_postgres "$1/initdb" -D "$home/data" --username=posthorn --auth=trust --encoding=UTF8 --locale=C.UTF-8 \
        --no-sync --no-instructions </dev/null >"$home/initdb.log" 2>&1 {lock}>&- || {
        cat "$home/initdb.log" >&2
        fail "PostgreSQL could not make its data folder; its words are above"
    }
    as_postgres tee -a "$home/data/postgresql.conf" >/dev/null <<'END'
listen_addresses = '127.0.0.1'
unix_socket_directories = ''
max_connections = 400
END
}

create_database() {
    local psql=("$1/psql" -X -q -A -t -h 127.0.0.1 -p "$postgres_port" -U posthorn -d postgres)
    [[ $("${psql[@]}" -c "SELECT 1 FROM pg_database WHERE datname = 'posthorn'") == 1 ]] ||
        "${psql[@]}" -c 'CREATE DATABASE posthorn'
}

postgres_stop() {
    read_ports || return 0
    local pid
    if pid=$(postgres_pid); then
        kill -INT "$pid" # a fast shutdown: open sessions are ended, the data is left clean
        wait_for 60 is_dead "$pid" || fail "PostgreSQL (process $pid) does not stop"
        say "PostgreSQL: stopped"
    else
        say "PostgreSQL: not running"
    fi
}

postgres_remove() {
    [[ ! -L $dir/postgres ]] || rm -rf "$(readlink -f "$dir/postgres")"
}
