# shellcheck shell=bash disable=SC2154
# Installs the servers' Debian packages when they are missing, leaving their system services alone.

rabbitmq_server=/usr/lib/rabbitmq/bin/rabbitmq-server # not Debian's wrapper in PATH: it switches users

# Prints the folder of PostgreSQL's server programs, the newest if there are several.
postgres_bin() {
    local folder
    for folder in "$(pg_config --bindir 2>/dev/null)" $(printf '%s\n' /usr/lib/postgresql/*/bin | sort -rV); do
        [[ -x $folder/initdb ]] && echo "$folder" && return
    done
    return 1
}

# Installs what is needed; a URL in $1 (broker) or $2 (database) means that this server is given.
install_missing_packages() {
    local packages=()
    [[ -n $1 || -n ${POSTHORN_RABBITMQ_ROOT:-} || -x $rabbitmq_server ]] || packages+=(rabbitmq-server)
    [[ -n $2 ]] || postgres_bin >/dev/null || packages+=(postgresql)
    ((${#packages[@]} == 0)) || apt_install "${packages[@]}"
}

# Prints the path of promtool, which checks metrics and alert rules. Where it is missing, it is taken out
# of Debian's package without installing that, so that no Prometheus starts here.
provide_promtool() {
    local folder=$repository/.local/prometheus
    command -v promtool && return
    if [[ ! -x $folder/usr/bin/promtool ]]; then
        say "Fetching promtool from Debian's package prometheus"
        mkdir -p "$folder"
        (cd "$folder" && apt-get download -qq prometheus && dpkg-deb --extract prometheus_*.deb .) >/dev/null 2>&1 || {
            apt_install prometheus && command -v promtool && return
        }
        rm -f "$folder"/*.deb "$folder/usr/bin/prometheus"
    fi
    echo "$folder/usr/bin/promtool"
}

# Also used for other packages that the scripts need.
apt_install() {
    command -v apt-get >/dev/null || fail "please install $* (no apt-get here), or run servers yourself and set" \
        "POSTHORN_AMQP_URL and POSTHORN_DATABASE_URL"
    local as_root=()
    if ((EUID != 0)); then
        sudo_works || fail "missing: $*. As root, install with: apt-get install $* (sudo does not work here)"
        as_root=(sudo)
    fi
    say "Installing Debian packages: $*"
    "${as_root[@]}" bash -c "$(declare -f say install_quietly); set -euo pipefail; install_quietly \"\$@\"" - "$@" >&2
}

# True if sudo needs no password, or someone is there to type it.
sudo_works() { command -v sudo >/dev/null && { [[ -t 0 ]] || sudo -n true 2>/dev/null; }; }

# Runs as root. Debian starts a package's service on installation and makes a database cluster:
#  - a policy-rc.d that forbids starting services stands in place meanwhile, unless there is one;
#  - the cluster goes to a folder that is thrown away, so that nothing of it stays.
install_quietly() {
    local policy=/usr/sbin/policy-rc.d scratch own_policy=
    scratch=$(mktemp -d)
    chmod 755 "$scratch"
    install -d -m 777 "$scratch/data" "$scratch/clusters"
    printf "data_directory = '%s/data/%%v/%%c'\n" "$scratch" >"$scratch/createcluster.conf"
    if [[ ! -e $policy ]]; then
        own_policy=$policy
        printf '#!/bin/sh\nexit 101\n' >"$policy"
        chmod 755 "$policy"
    fi
    # shellcheck disable=SC2064
    trap "rm -rf '$scratch' $own_policy" EXIT

    if [[ -z $(find /var/lib/apt/lists -name '*_Packages*' -mtime -1 2>/dev/null | head -n 1) ]]; then
        apt-get update -qq
    fi
    DEBIAN_FRONTEND=noninteractive PG_CLUSTER_CONF_ROOT=$scratch/clusters PGSYSCONFDIR=$scratch \
        apt-get install -y -qq --no-install-recommends -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=120 "$@"
    if [[ -d /run/systemd/system ]]; then
        say "Note: Debian will start the services of these packages at the next boot; to prevent that:" \
            "systemctl disable rabbitmq-server postgresql"
    fi
}
