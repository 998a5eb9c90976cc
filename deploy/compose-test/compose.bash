# shellcheck shell=bash disable=SC2154
# Docker Compose, as version 1 (docker-compose 1.29) and as version 2.

# Runs the compose under test on the project.
compose() { "${compose_command[@]}" "${compose_files[@]}" "$@"; }

provide_compose() {
    compose_files=(--file "$repository/docker-compose.yml" --file "$here/compose.yml")
    compose_v1=$(find_compose 1 docker-compose)
    compose_v2=$(find_compose 2 "docker compose" docker-compose "$state/compose-v2")
    [[ -n $compose_v1$compose_v2 ]] || { apt_install docker-compose && compose_v1=$(find_compose 1 docker-compose) &&
        compose_v2=$(find_compose 2 docker-compose); } || true
    case $1 in
        v1) compose_command=$compose_v1 ;;
        v2) [[ -n $compose_v2 ]] || fetch_compose_v2 && compose_command=$compose_v2 ;;
        '') compose_command=${compose_v2:-$compose_v1} ;;
        *) fail "usage: deploy/compose-test/run [v1|v2]" ;;
    esac
    [[ -n $compose_command ]] || fail "no docker compose ${1:-} here"
    read -ra compose_command <<<"$compose_command"
    say "Compose: $("${compose_command[@]}" version --short)"
    # For the shells that add webhooks.
    export_compose
}

export_compose() {
    eval "compose() { $(printf '%q ' "${compose_command[@]}" "${compose_files[@]}") \"\$@\"; }"
    export -f compose
    export state
}

# Prints the first of the commands "$2"… that is a compose of version $1.
find_compose() {
    local version=$1 command
    shift
    for command in "$@"; do
        # shellcheck disable=SC2086
        [[ $($command version --short 2>/dev/null) =~ ^v?$version\. ]] && echo "$command" && return
    done
    return 0
}

# Debian 13 has version 2; it runs by itself on older ones.
fetch_compose_v2() {
    provide_base
    docker run --rm --network host --volume "$state:/state" "$standin_base" sh -c \
        'cd /tmp && apt-get update -qq && apt-get download -qq docker-compose && dpkg-deb -x docker-compose*.deb x &&
         cp "$(find x -name docker-compose -type f -perm /111 | head -n 1)" /state/compose-v2' >/dev/null 2>&1 ||
        fail "cannot fetch docker compose version 2"
    compose_v2=$state/compose-v2
}

# The file must parse with both, as far as they are here.
parse_with_each() {
    local command
    for command in "$compose_v1" "$compose_v2"; do
        [[ -n $command ]] || continue
        # shellcheck disable=SC2086
        $command --file "$repository/docker-compose.yml" --profile demo --profile observability --profile cli config >/dev/null ||
            fail "$command does not take docker-compose.yml"
        # shellcheck disable=SC2086
        say "docker-compose.yml parses with Compose $($command version --short)"
    done
}

# Prints the running containers of the service $1, or those in the state $2.
containers_of() {
    docker ps --all --quiet --filter "label=com.docker.compose.project=$COMPOSE_PROJECT_NAME" \
        --filter "label=com.docker.compose.service=$1" --filter "label=com.docker.compose.oneoff=False" --filter "status=${2:-running}"
}
container_of() { containers_of "$1" | head -n 1; }

unhealthy() {
    docker ps --filter "label=com.docker.compose.project=$COMPOSE_PROJECT_NAME" --filter label=com.docker.compose.oneoff=False \
        --format '{{.Names}} {{.Status}}' | grep -v '(healthy)'
}
all_healthy() { [[ $(containers_of router | wc -l) == 2 && $(containers_of dispatcher | wc -l) == 3 ]] && ! unhealthy >/dev/null; }
