# shellcheck shell=bash disable=SC2154
# The ledger: what was published and what the receiver got, one line for each pair of webhook and event.

# Writes the events of the load: ids evt-00001 and so on, in files of one burst each.
write_events() {
    seq -f '%05g' 1 "$events" |
        sed 's/.*/{"id":"evt-&","type":"load.tick","company_id":"c1","project_id":"p1","data":{"number":"&"}}/' |
        split --lines "$burst" --numeric-suffixes=1 --suffix-length=2 --additional-suffix=.jsonl - "$state/events-"
}

# Prints each pair that must arrive.
expected() {
    local webhook
    for webhook in $(seq -f '%02g' 1 "$webhooks"); do
        seq -f "/w$webhook evt-%05g" 1 "$events"
    done | sort
}

# Prints each pair that arrived, as often as it did.
received() {
    docker logs "$(container_of ledger)" 2>/dev/null |
        sed -nE 's/.*"path":"(\/w[0-9]+)","id":"(evt-[0-9]+)".*/\1 \2/p'
}

# True once some webhook has got the event $1, if that is not long ago.
has_arrived() { docker logs --tail 20000 "$(container_of ledger)" 2>/dev/null | grep "\"id\":\"$1\"" >/dev/null; }

# Prints the numbers of requests and of distinct pairs.
count_received() { received | sort | uniq -c | awk '{ requests += $1; pairs += 1 } END { print requests + 0, pairs + 0 }'; }

everything_arrived() {
    local requests pairs
    read -r requests pairs < <(count_received)
    ((pairs >= events * webhooks))
}

query() { compose exec -T -e PGPASSWORD="$(<"$state/secrets/postgres_password")" postgres psql -X -q -A -t -h 127.0.0.1 -U posthorn -d posthorn -c "$1" </dev/null; }

everything_is_recorded() {
    (($(query "SELECT count(DISTINCT (event_ref, webhook_id)) FROM attempts WHERE outcome = 'accepted'") >= events * webhooks))
}

# Balances the books; fails if anything is missing.
balance() {
    local missing requests pairs recorded_events recorded_pairs
    missing=$(comm -23 <(expected) <(received | sort -u) | tee "$state/missing" | wc -l)
    read -r requests pairs < <(count_received)
    recorded_events=$(query 'SELECT count(DISTINCT ref) FROM events')
    recorded_pairs=$(query "SELECT count(DISTINCT (event_ref, webhook_id)) FROM attempts WHERE outcome = 'accepted'")
    heading "Ledger"
    cat <<END
events published and confirmed      $events
webhooks                            $webhooks
deliveries expected                 $((events * webhooks))
deliveries received                 $pairs
missing                             $missing
requests received                   $requests
duplicates                          $((requests - pairs))
events recorded in PostgreSQL       $recorded_events
deliveries recorded as accepted     $recorded_pairs
END
    ((missing == 0)) || fail "$missing deliveries are missing: $state/missing"
    ((recorded_events == events && recorded_pairs == events * webhooks)) || fail "the history has holes"
}
