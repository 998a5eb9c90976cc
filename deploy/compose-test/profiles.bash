# shellcheck shell=bash disable=SC2154
# The compose file's profiles: Prometheus and Grafana, which watch the load, and the demo.

# Starts what the profile observability has. Grafana has no stand-in: Debian does not have it.
start_observability() {
    local services=(prometheus) grafana
    grafana=$(image_of grafana)
    provide_image "$(image_of prometheus)" prometheus
    if has_image "$grafana" || pull "$grafana" >/dev/null; then services+=(grafana); else say "Grafana: NOT run, its image cannot be had here"; fi
    COMPOSE_PROFILES=observability compose up -d --no-build "${services[@]}" >/dev/null 2>>"$state/compose.log" ||
        { tail -n 20 "$state/compose.log" && fail "Prometheus does not come up"; }
}

# Prints Prometheus' answer to a query.
ask() {
    docker exec "$(container_of prometheus)" wget -q -O - --post-data "query=$1" http://127.0.0.1:9090/api/v1/query
}

# Prints the one number that a query has as its answer.
number_of() { ask "$1" | sed -nE 's/.*"value":\[[0-9.]+,"([^"]+)"\].*/\1/p'; }

every_role_is_scraped() {
    local running role
    running=$(for role in "${roles[@]}"; do containers_of "$role"; done | wc -l)
    [[ $(number_of 'count(up{job="posthorn"} == 1)') == "$running" && $(number_of 'up{job="rabbitmq"}') == 1 ]]
}

# Each panel's query must be answered. Some count what did not happen.
check_observability() {
    local query answer answered=0 silent=0
    wait_for 60 every_role_is_scraped || fail "Prometheus does not see every role: $(ask 'up')"
    while read -r query; do
        answer=$(ask "${query//\$__rate_interval/5m}") || fail "Prometheus does not take: $query"
        answered=$((answered + 1))
        if [[ $answer == *'"result":[]'* ]]; then silent=$((silent + 1)) && say "no data: $query"; fi
    done < <(sed -nE 's/^ *"expr": "(.*)",?$/\1/p' "$repository/deploy/grafana/dashboards/posthorn.json" | sed 's/\\"/"/g')
    say "Prometheus scrapes every role and the broker; of the dashboard's $answered queries $((answered - silent)) have data"
    say "$(number_of 'count(ALERTS{alertstate="firing"}) or vector(0)') alerts fire"
    ((silent < 5)) || fail "the dashboard shows too little"
}

try_demo() {
    COMPOSE_PROFILES=demo compose up -d --no-build --no-deps demo-receiver demo-flaky demo-producer >/dev/null 2>>"$state/compose.log" ||
        { tail -n 20 "$state/compose.log" && fail "the demo does not come up"; }
    compose run --rm -T cli webhook add --name steady --url http://demo-receiver:9000/steady </dev/null >/dev/null 2>>"$state/compose.log"
    compose run --rm -T cli webhook add --name flaky --url http://demo-flaky:9000/flaky </dev/null >/dev/null 2>>"$state/compose.log"
    wait_for 60 demo_flows || fail "the demo's receivers get nothing: $(docker logs --tail 3 "$(container_of demo-flaky)" 2>&1)"
    say "The demo's receivers get events, and the flaky one gets them again"
}

demo_flows() {
    docker logs "$(container_of demo-receiver)" 2>&1 | grep -q 'attempt 1.*answered 200' &&
        docker logs "$(container_of demo-flaky)" 2>&1 | grep -q 'attempt [23].*answered 200'
}
