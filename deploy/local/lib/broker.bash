# shellcheck shell=bash disable=SC2154
# A private RabbitMQ node in $dir/broker, without plugins, with an epmd of its own.

# A folder with another Debian, whose RabbitMQ is used instead of this machine's; needs root.
broker_root=${POSTHORN_RABBITMQ_ROOT:-}

# Prints the words that run a command of RabbitMQ's where it is installed, each with a NUL behind it.
# It sees this repository and DIR. Mounts are seen by that command alone, and go with it.
broker_within() {
    [[ -n $broker_root ]] || return 0
    # shellcheck disable=SC2016
    printf '%s\0' unshare --mount bash -c 'set -e
        mount --rbind /proc "$0/proc" && mount --rbind /dev "$0/dev"
        for folder in "$1" "$2"; do mkdir -p "$0$folder" && mount --bind "$folder" "$0$folder"; done
        exec chroot "$0" "${@:3}"' "$broker_root" "$repository" "$dir"
}

broker_url() { echo "amqp://guest:guest@127.0.0.1:$amqp_port/%2f"; }

# Prints the process id of this DIR's Erlang VM; fails if it is not running. The working folder tells
# it from a process that got the same id after a crash or a reboot.
broker_pid() { pid_in "$dir/broker/vm.pid" "$dir/broker"; }
broker_is_running() { broker_pid >/dev/null; }

# Starts the node without waiting for it; `broker_wait` does that.
broker_launch() {
    read_ports
    local home=$dir/broker within=()
    broker_is_running && say "RabbitMQ: already running on port $amqp_port" && return
    mkdir -p "$home"
    [[ -e $home/.erlang.cookie ]] || (umask 077 && echo "cookie$RANDOM$RANDOM$RANDOM" >"$home/.erlang.cookie")
    write_broker_settings "$home"
    : >"$home/output.log"
    raise_file_limit
    cd "$home" || return
    start_epmd
    # Busy-waiting for microseconds halves the time to start on a virtual machine and costs nothing when idle.
    # Under "systemd" the start script becomes the VM instead of guarding it: what we kill is the VM.
    mapfile -d '' within < <(broker_within)
    detach "$home/output.log" "${within[@]}" env -C "$home" -i "PATH=$PATH" LANG=C.UTF-8 "HOME=$home" RUNNING_UNDER_SYSTEMD=1 \
        RABBITMQ_SCHEDULER_BUSY_WAIT_THRESHOLD=very_short "ERL_EPMD_PORT=$epmd_port" ERL_EPMD_ADDRESS=127.0.0.1 \
        "RABBITMQ_NODENAME=$node" "RABBITMQ_DIST_PORT=$dist_port" \
        RABBITMQ_NODE_IP_ADDRESS=127.0.0.1 "RABBITMQ_NODE_PORT=$amqp_port" \
        "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1}" \
        "RABBITMQ_MNESIA_BASE=$home/data" "RABBITMQ_LOG_BASE=$home/log" "RABBITMQ_PID_FILE=$home/rabbitmq.pid" \
        "RABBITMQ_CONFIG_FILE=$home/rabbitmq.conf" "RABBITMQ_CONFIG_FILES=$home/conf.d" \
        "RABBITMQ_CONF_ENV_FILE=$home/rabbitmq-env.conf" "RABBITMQ_ADVANCED_CONFIG_FILE=$home/advanced.config" \
        "RABBITMQ_ENABLED_PLUGINS_FILE=$home/enabled_plugins" \
        "$rabbitmq_server"
    echo $! >"$home/vm.pid"
    broker_is_starting=yes
}

write_broker_settings() {
    echo '[].' >"$1/enabled_plugins"
    cat >"$1/rabbitmq.conf" <<'END'
log.file.level = info
# Bounds the disk and memory that an idle private node keeps for quorum queues (default 512 MB).
raft.wal_max_size_bytes = 67108864
END
}

# Enough files for many connections and queues; a huge limit makes Erlang slow to start.
raise_file_limit() {
    local allowed
    allowed=$(ulimit -Hn)
    [[ $allowed == unlimited ]] || ((allowed > 65536)) && allowed=65536
    ulimit -n "$allowed"
}

broker_wait() {
    [[ -n ${broker_is_starting:-} ]] || return 0
    local deadline=$((SECONDS + 60))
    until broker_answers; do
        if ! broker_is_running || ((SECONDS >= deadline)); then
            tail -n 30 "$dir"/broker/output.log "$dir"/broker/log/*.log >&2
            fail "RabbitMQ did not start; its last words are above, all of them in $dir/broker"
        fi
        sleep 0.1
    done
    say "RabbitMQ: running on port $amqp_port"
}

# True once the broker greets an AMQP client.
broker_answers() {
    timeout 5 bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$0" && printf "AMQP\0\0\11\1" >&3 && read -r -N 1 <&3' \
        "$amqp_port" 2>/dev/null
}

broker_stop() {
    read_ports || return 0
    local pid
    if pid=$(broker_pid); then
        kill -TERM "$pid"
        wait_for 30 is_dead "$pid" || kill -KILL "$pid"
        say "RabbitMQ: stopped"
    else
        say "RabbitMQ: not running"
    fi
    stop_epmd
    rm -f "$dir/broker/vm.pid"
}

broker_kill() {
    read_ports
    local pid
    pid=$(broker_pid) || fail "RabbitMQ is not running in $dir"
    kill -KILL "$pid"
    wait_for 10 is_dead "$pid" || fail "RabbitMQ (process $pid) does not die"
    say "RabbitMQ: killed"
}

# Runs rabbitmqctl on the node.
broker_control() {
    read_ports
    local within=() home=$dir/broker
    mapfile -d '' within < <(broker_within)
    "${within[@]}" env -C "$home" -i "PATH=$PATH" LANG=C.UTF-8 "HOME=$home" "ERL_EPMD_PORT=$epmd_port" \
        ERL_EPMD_ADDRESS=127.0.0.1 "RABBITMQ_NODENAME=$node" "RABBITMQ_CONF_ENV_FILE=$home/rabbitmq-env.conf" \
        "$(dirname "$rabbitmq_server")/rabbitmqctl" "$@"
}

epmd_pid() { pid_in "$dir/broker/epmd.pid" "$dir/broker"; }

epmd_answers() { ! port_is_free "$epmd_port"; }

start_epmd() {
    epmd_pid >/dev/null && return
    local within=()
    mapfile -d '' within < <(broker_within)
    detach "$dir/broker/output.log" "${within[@]}" env -C "$dir/broker" epmd -port "$epmd_port" -address 127.0.0.1
    echo $! >"$dir/broker/epmd.pid"
    wait_for 5 epmd_answers || fail "epmd, which Erlang needs, does not start"
}

stop_epmd() {
    local pid
    pid=$(epmd_pid) || return 0
    kill "$pid"
    wait_for 5 is_dead "$pid" || kill -KILL "$pid"
    rm -f "$dir/broker/epmd.pid"
}
