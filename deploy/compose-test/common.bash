# shellcheck shell=bash disable=SC2154
# Messages, waiting, processes, ports and packages.

say() { echo "$*" >&2; }

fail() {
    echo "error: $*" >&2
    exit 1
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
is_dead() { ! grep -q '^State:[[:space:]]*[^ZX[:space:]]' "/proc/${1:-none}/status" 2>/dev/null; }

# A random free port below the range from which the kernel takes ports for outgoing connections.
random_free_port() {
    local port=$((20000 + RANDOM % 12000))
    while (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; do port=$((20000 + RANDOM % 12000)); done
    echo "$port"
}

# Starts "$@" in a session of its own with the log $1. Its process id is $!.
detach() {
    local log=$1
    shift
    setsid "$@" </dev/null >>"$log" 2>&1 &
}

apt_install() { (cd "$repository" && cargo xtask install "$@"); }

# The mirror of this machine's own package sources.
# shellcheck disable=SC2016
debian_mirror() {
    echo "${DEBIAN_MIRROR:-$(apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages' 'Origin: Debian' \
        'Label: Debian' | head -n 1)}"
}
