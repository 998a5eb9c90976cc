-- What happened to events and deliveries: written by recorders, kept as long as the retention says.

-- The reference of a company's event, which names it among those of all companies: 128 bits of SHA-256
-- over the company and the id, each behind its length in bytes. Posthorn makes the same in Rust.
CREATE FUNCTION event_ref(company_id text, event_id text) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    SELECT encode(substring(sha256(
        int4send(octet_length(company_id)) || convert_to(company_id, 'UTF8')
            || int4send(octet_length(event_id)) || convert_to(event_id, 'UTF8')) FROM 1 FOR 16), 'hex')::uuid
$$;

-- Events as they were published, and which webhooks wanted them. A partition per day.
CREATE TABLE events (
    received_on date NOT NULL,
    -- What names it among the events of all companies: its `event_ref`.
    ref         uuid NOT NULL,
    -- Unique within its company.
    id          text NOT NULL,
    -- What tells its content from another that came with the same id.
    digest      uuid NOT NULL,
    received_at timestamptz NOT NULL,
    type        text NOT NULL,
    company_id  text NOT NULL,
    project_id  text NOT NULL,
    occurred_at timestamptz,
    -- The producer's original bytes, a posthorn.v1.Event.
    message     bytea NOT NULL,
    webhook_ids uuid[] NOT NULL,
    -- By its reference alone an event is looked for in every partition: it comes first.
    PRIMARY KEY (ref, received_on)
) PARTITION BY RANGE (received_on);
-- For the latest events, of all and of a company.
CREATE INDEX events_by_time ON events (received_at, ref);
CREATE INDEX events_of_company ON events (company_id, received_at, ref);
-- For whoever knows only the producer's id.
CREATE INDEX events_by_id ON events (id);

-- Events that came with the id of another one of their company, and other content. They were routed and
-- delivered like any. A partition per day.
CREATE TABLE event_conflicts (
    received_on date NOT NULL,
    event_ref   uuid NOT NULL,
    digest      uuid NOT NULL,
    received_at timestamptz NOT NULL,
    event_id    text NOT NULL,
    type        text NOT NULL,
    company_id  text NOT NULL,
    project_id  text NOT NULL,
    occurred_at timestamptz,
    -- The producer's original bytes, a posthorn.v1.Event.
    message     bytea NOT NULL,
    webhook_ids uuid[] NOT NULL,
    PRIMARY KEY (event_ref, digest, received_on)
) PARTITION BY RANGE (received_on);
-- For the latest conflicts, of all and of a company.
CREATE INDEX event_conflicts_by_time ON event_conflicts (received_at, digest);
CREATE INDEX event_conflicts_of_company ON event_conflicts (company_id, received_at, digest);

-- HTTP requests made for deliveries. A partition per day.
CREATE TABLE attempts (
    started_on        date NOT NULL,
    id                uuid NOT NULL,
    event_ref         uuid NOT NULL,
    event_id          text NOT NULL,
    -- Which content was sent.
    digest            uuid NOT NULL,
    event_type        text NOT NULL,
    company_id        text NOT NULL,
    webhook_id        uuid NOT NULL,
    epoch             integer NOT NULL,
    attempt           integer NOT NULL,
    started_at        timestamptz NOT NULL,
    duration_ms       integer NOT NULL,
    -- How long its parts took: name lookup and connecting are null where there was no need to.
    dns_ms            integer,
    connect_ms        integer,
    first_byte_ms     integer,
    outcome           text NOT NULL,
    status            smallint,
    unreachable_class text,
    error             text,
    -- Where it went, if it got no answer: for operators, whose network it may be.
    address           inet,
    -- A list of pairs, as far as they are kept.
    response_headers  jsonb,
    response_body     text,
    -- What followed; `disable` if the webhook was disabled because of it.
    step              text NOT NULL,
    next_attempt_at   timestamptz,
    PRIMARY KEY (started_on, id),
    CONSTRAINT attempt_counts_from_1 CHECK (attempt >= 1),
    CONSTRAINT outcome_is_known CHECK (outcome IN ('accepted', 'refused', 'gone', 'unreachable', 'interrupted')),
    CONSTRAINT step_is_known CHECK (step IN ('succeed', 'retry', 'give_up', 'disable')),
    CONSTRAINT accepted_succeeds CHECK ((outcome = 'accepted') = (step = 'succeed')),
    CONSTRAINT only_a_retry_is_scheduled CHECK ((step = 'retry') = (next_attempt_at IS NOT NULL)),
    CONSTRAINT answered_has_a_status CHECK ((outcome IN ('accepted', 'refused', 'gone')) = (status IS NOT NULL)),
    CONSTRAINT unreachable_has_a_class CHECK ((outcome = 'unreachable') = (unreachable_class IS NOT NULL)),
    CONSTRAINT unreachable_class_is_known
        CHECK (unreachable_class IN ('dns', 'connect', 'tls', 'timeout', 'reset', 'blocked', 'invalid_reply'))
) PARTITION BY RANGE (started_on);
-- For a webhook's latest attempts, and for all attempts of a delivery.
CREATE INDEX attempts_of_webhook ON attempts (webhook_id, started_at);
CREATE INDEX attempts_of_delivery ON attempts (event_ref, webhook_id);
-- For a webhook's latest failures, which may be few among many attempts.
CREATE INDEX attempts_failed ON attempts (webhook_id, started_at) WHERE outcome <> 'accepted';
-- For the oldest retry that is due and was not made.
CREATE INDEX attempts_to_retry ON attempts (next_attempt_at) WHERE step = 'retry';

-- Messages that are no events. A partition per day.
CREATE TABLE rejected_events (
    rejected_on date NOT NULL,
    id          uuid NOT NULL,
    rejected_at timestamptz NOT NULL,
    field       text NOT NULL,
    reason      text NOT NULL,
    routing_key text NOT NULL,
    message_id  text NOT NULL,
    -- The size of the whole message; `message` may hold only its beginning.
    size        bigint NOT NULL,
    message     bytea NOT NULL,
    -- What a person has made of it: published again, or discarded.
    resolution  text,
    resolved_at timestamptz,
    PRIMARY KEY (id, rejected_on),
    CONSTRAINT field_is_known CHECK (field IN ('message', 'id', 'type', 'company_id', 'project_id', 'occurred_at',
                                               'data', 'json', 'struct', 'routing_key', 'journal')),
    CONSTRAINT resolution_is_known CHECK (resolution IN ('published', 'discarded')),
    CONSTRAINT resolved_says_when CHECK ((resolution IS NULL) = (resolved_at IS NULL))
) PARTITION BY RANGE (rejected_on);
-- For the oldest messages whose bytes are kept: those make room.
CREATE INDEX rejected_with_bytes ON rejected_events (id) WHERE octet_length(message) > 0;

-- How many bytes of rejected messages are kept, by the day of their partition: what is kept in all is bounded.
CREATE TABLE rejected_bytes (
    day   date PRIMARY KEY,
    bytes bigint NOT NULL
);

-- Deliveries whose webhook was gone when they returned. A partition per day.
CREATE TABLE dropped_deliveries (
    dropped_on date NOT NULL,
    event_ref  uuid NOT NULL,
    event_id   text NOT NULL,
    company_id text NOT NULL,
    webhook_id uuid NOT NULL,
    dropped_at timestamptz NOT NULL,
    reason     text NOT NULL,
    PRIMARY KEY (event_ref, webhook_id, dropped_on)
) PARTITION BY RANGE (dropped_on);
