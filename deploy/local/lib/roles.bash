# shellcheck shell=bash disable=SC2154
# Posthorn's roles as background processes whose pid files and logs are in $state. Sourced after
# common.bash by `up`, `down` and `demo`, which set $repository and $state.

posthorn=$repository/target/debug/posthorn
role_names=(router dispatcher-1 dispatcher-2 recorder)

build_posthorn() {
    need_cargo
    say "Building posthorn (a few minutes the first time)"
    (cd "$repository" && cargo build --bin posthorn)
}

# Makes the key ring for webhooks' secrets, once per $state.
make_secret_keys() {
    [[ -s $state/secret-keys ]] || (umask 077 && "$posthorn" key >"$state/secret-keys")
    unset POSTHORN_SECRET_KEYS
    export POSTHORN_SECRET_KEYS_FILE=$state/secret-keys
}

# Starts `posthorn $2…` under the name $1. It works in $state, by which its pid file is checked.
start_process() {
    local name=$1
    shift
    (
        cd "$state" || exit
        detach "$state/$name.log" "$posthorn" "$@"
        echo $! >"$state/$name.pid"
    )
}

process_id() { pid_in "$state/$1.pid" "$state"; }

# Starts those roles that don't run, and waits until all are ready.
start_roles() {
    local name
    for name in "${role_names[@]}"; do
        process_id "$name" >/dev/null && say "$name: already running" && continue
        random_free_port >"$state/$name.port"
        : >"$state/$name.log"
        POSTHORN_ADMIN_ADDR=127.0.0.1:$(<"$state/$name.port") start_process "$name" "${name%-[0-9]}"
    done
    for name in "${role_names[@]}"; do
        wait_for_role "$name"
    done
}

wait_for_role() {
    local deadline=$((SECONDS + 60)) port
    port=$(<"$state/$1.port")
    until [[ $(http_get "$port" /readyz) == *" 200 "* ]]; do
        if ! process_id "$1" >/dev/null || ((SECONDS >= deadline)); then
            tail -n 20 "$state/$1.log" >&2
            fail "$1 did not become ready ($(http_get "$port" /readyz | tail -n 1)); its log is $state/$1.log"
        fi
        sleep 0.1
    done
    say "$1: ready (status: http://127.0.0.1:$port/readyz)"
}

# Prints the answer to a GET of path $2 from local port $1, status line first; nothing if nobody listens.
http_get() {
    # shellcheck disable=SC2016
    timeout 5 bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$0" && printf "GET %s HTTP/1.0\r\nHost: localhost\r\n\r\n" "$1" >&3 && cat <&3' \
        "$1" "$2" 2>/dev/null || true
}

# Stops every process that has a pid file in $state: first asks, after half a minute insists.
stop_processes() {
    local file name pid pids=()
    for file in "$state"/*.pid; do
        name=$(basename "$file" .pid)
        if pid=$(process_id "$name"); then
            kill -TERM "$pid"
            pids+=("$pid")
        fi
        rm -f "$file"
    done
    for pid in "${pids[@]}"; do
        wait_for 30 is_dead "$pid" || kill -KILL "$pid"
    done
    ((${#pids[@]} == 0)) || say "Posthorn: ${#pids[@]} processes stopped"
}
