# shellcheck shell=bash disable=SC2154
# A Docker engine: the one that answers, or one of our own whose data is in $state.

engine_answers() { docker info >/dev/null 2>&1; }

provide_engine() {
    command -v docker >/dev/null || apt_install docker.io
    if engine_answers; then
        say "Docker: using the engine that answers"
        return
    fi
    command -v dockerd >/dev/null || apt_install docker.io
    ((EUID == 0)) || fail "no Docker engine answers, and only root can start one"
    # The path of a socket may not be long.
    engine=$(mktemp -d /tmp/posthorn-engine.XXXXXX)
    export DOCKER_HOST=unix://$engine/socket
    detach "$state/dockerd.log" dockerd --data-root "$state/docker" --exec-root "$engine/exec" \
        --host "$DOCKER_HOST" --pidfile "$engine/pid"
    engine_pid=$!
    wait_for 60 engine_answers || {
        tail -n 20 "$state/dockerd.log" >&2
        fail "dockerd does not start; its last words are above"
    }
    say "Docker: started an engine of our own, its data is in ${state#"$repository"/}/docker"
}

stop_engine() {
    [[ -n ${engine_pid:-} ]] || return 0
    kill -TERM "$engine_pid" 2>/dev/null || true
    wait_for 60 is_dead "$engine_pid" || kill -KILL "$engine_pid"
    umount "$engine"/exec/netns/* 2>/dev/null || true
    rm -rf "$engine"
}
