# shellcheck shell=bash disable=SC2154
# What the local scripts share: messages, waiting, processes, ports. Sourced, with $repository set;
# the functions on servers' ports expect their folder in $dir.

say() { echo "$*" >&2; }

fail() {
    echo "error: $*" >&2
    exit 1
}

need_cargo() {
    command -v cargo >/dev/null || fail "cargo not found: install Rust (see rust-version in Cargo.toml), for example with rustup"
}

# Exports what `servers env` prints for the folder $1.
use_servers() {
    local settings
    settings=$("$repository/deploy/local/servers" env "$1")
    eval "$settings"
}

# Runs "$@" until it succeeds, for at most $1 seconds.
wait_for() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@" 2>/dev/null; do
        ((SECONDS < deadline)) || return 1
        sleep 0.1
    done
}

# A process that has ended but is not reaped yet (a container's init may be slow) is dead.
is_alive() { grep -q '^State:[[:space:]]*[^ZX[:space:]]' "/proc/${1:-none}/status" 2>/dev/null; }
is_dead() { ! is_alive "$1"; }

# Prints the process id in file $1 if that process lives and works in folder $2. Extra arguments are
# the command that looks, for a process of another user.
pid_in() {
    local pid file=$1 folder=$2
    shift 2
    pid=$(head -n 1 "$file" 2>/dev/null) && is_alive "$pid" && "$@" test "/proc/$pid/cwd" -ef "$folder" && echo "$pid"
}

port_is_free() { ! (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# A random free port below the range from which the kernel takes ports for outgoing connections, so
# that a stopped server finds its port free when it comes back.
random_free_port() {
    local port
    while true; do
        port=$((20000 + RANDOM % 12000))
        port_is_free "$port" && break
    done
    echo "$port"
}

# Reads or chooses this DIR's ports and node name. A port that something else has taken since is
# replaced, except in a server that runs; the data does not depend on it.
choose_ports() {
    node='' amqp_port='' dist_port='' epmd_port='' postgres_port=''
    # shellcheck source=/dev/null
    [[ -r $dir/ports ]] && source "$dir/ports"
    node=${node:-posthorn-$RANDOM$RANDOM@localhost}
    if ! broker_is_running; then
        stop_epmd
        keep_or_replace amqp_port dist_port epmd_port
    fi
    postgres_is_running || keep_or_replace postgres_port
    declare -p node amqp_port dist_port epmd_port postgres_port | sed 's/^declare -- //' >"$dir/ports"
}

keep_or_replace() {
    local name
    for name in "$@"; do
        [[ -n ${!name} ]] && port_is_free "${!name}" && continue
        printf -v "$name" %s "$(random_free_port)"
    done
}

# Reads the ports chosen by `up`.
read_ports() {
    # shellcheck source=/dev/null
    source "$dir/ports" 2>/dev/null
}

# Starts "$@" detached from the caller: own session, own log $1, no inherited input, output or lock.
# Its process id is $!.
detach() {
    local log=$1
    shift
    (
        if [[ -n ${lock:-} ]]; then exec {lock}>&-; fi
        exec setsid "$@"
    ) </dev/null >>"$log" 2>&1 &
}
