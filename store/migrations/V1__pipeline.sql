-- Rises with every change to a webhook: routers and dispatchers compare it with what they know.
CREATE SEQUENCE webhook_revision;

-- A webhook is a URL that wants some events. Deleted ones stay until their queue is gone.
CREATE TABLE webhooks (
    id               uuid PRIMARY KEY,
    name             text NOT NULL DEFAULT '',
    url              text NOT NULL,
    rules            jsonb NOT NULL,
    timeout_ms       integer NOT NULL DEFAULT 15000,
    max_in_flight    integer NOT NULL DEFAULT 16,
    disable_policy   text NOT NULL DEFAULT 'exhausted',
    state            text NOT NULL DEFAULT 'enabled',
    disabled_reason  text,
    disabled_at      timestamptz,
    -- The outcome of the attempt that disabled it; null if a person did.
    disabled_outcome jsonb,
    deleted_at       timestamptz,
    -- Rises when it is enabled again: attempts count from 1 in each epoch.
    epoch            integer NOT NULL DEFAULT 1,
    revision         bigint NOT NULL DEFAULT nextval('webhook_revision'),
    created_at       timestamptz NOT NULL DEFAULT now(),
    updated_at       timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT name_is_short CHECK (length(name) <= 200),
    CONSTRAINT url_is_bounded CHECK (length(url) BETWEEN 1 AND 2048),
    CONSTRAINT rules_are_1_to_20 CHECK (jsonb_typeof(rules) = 'array' AND jsonb_array_length(rules) BETWEEN 1 AND 20),
    CONSTRAINT timeout_is_1_to_30_s CHECK (timeout_ms BETWEEN 1000 AND 30000),
    CONSTRAINT max_in_flight_is_1_to_1000 CHECK (max_in_flight BETWEEN 1 AND 1000),
    CONSTRAINT disable_policy_is_known CHECK (disable_policy IN ('exhausted', 'failing')),
    CONSTRAINT state_is_known CHECK (state IN ('enabled', 'paused', 'disabled', 'deleted')),
    CONSTRAINT disabled_reason_is_known CHECK (disabled_reason IN ('exhausted', 'gone', 'operator')),
    CONSTRAINT disabled_says_when CHECK ((state = 'disabled') = (disabled_at IS NOT NULL)),
    CONSTRAINT disabled_says_why CHECK ((disabled_at IS NULL) = (disabled_reason IS NULL)),
    CONSTRAINT only_disabled_has_an_outcome CHECK (disabled_at IS NOT NULL OR disabled_outcome IS NULL),
    CONSTRAINT deleted_says_when CHECK ((state = 'deleted') = (deleted_at IS NOT NULL)),
    CONSTRAINT epoch_counts_from_1 CHECK (epoch >= 1)
);
-- For the removal of queues whose webhook is deleted.
CREATE INDEX webhooks_deleted ON webhooks (deleted_at) WHERE state = 'deleted';

CREATE FUNCTION next_webhook_revision() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NEW.revision := nextval('webhook_revision');
    NEW.updated_at := now();
    RETURN NEW;
END $$;
CREATE TRIGGER webhook_revision BEFORE UPDATE ON webhooks
    FOR EACH ROW EXECUTE FUNCTION next_webhook_revision();

-- Tells routers and dispatchers which webhook to look at again.
CREATE FUNCTION notify_webhook() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('posthorn_webhooks', coalesce(NEW.id, OLD.id)::text);
    RETURN NULL;
END $$;
CREATE TRIGGER webhook_changed AFTER INSERT OR UPDATE OR DELETE ON webhooks
    FOR EACH ROW EXECUTE FUNCTION notify_webhook();

-- The signing secrets of a webhook, encrypted: the current one, and during a rotation the last.
CREATE TABLE webhook_secrets (
    id         uuid PRIMARY KEY,
    webhook_id uuid NOT NULL REFERENCES webhooks ON DELETE CASCADE,
    -- The name of the key in POSTHORN_SECRET_KEYS that opens it.
    key_id     text NOT NULL,
    sealed     bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    -- Until when it still signs; null for the current one.
    expires_at timestamptz
);
CREATE UNIQUE INDEX one_current_secret ON webhook_secrets (webhook_id) WHERE expires_at IS NULL;
CREATE INDEX webhook_secrets_of ON webhook_secrets (webhook_id);

-- When a webhook's attempts last succeeded and failed. Apart from `webhooks`, so that writing it
-- tells nobody to look at the webhook again.
CREATE TABLE webhook_health (
    webhook_id       uuid PRIMARY KEY,
    last_accepted_at timestamptz,
    last_failed_at   timestamptz
) WITH (fillfactor = 50);

-- Events as they were published, and which webhooks wanted them. A partition per day.
CREATE TABLE events (
    received_on date NOT NULL,
    id          text NOT NULL,
    received_at timestamptz NOT NULL,
    type        text NOT NULL,
    company_id  text NOT NULL,
    project_id  text NOT NULL,
    occurred_at timestamptz,
    -- The producer's original bytes, a posthorn.v1.Event.
    message     bytea NOT NULL,
    webhook_ids uuid[] NOT NULL,
    PRIMARY KEY (received_on, id)
) PARTITION BY RANGE (received_on);

-- HTTP requests made for deliveries. A partition per day.
CREATE TABLE attempts (
    started_on        date NOT NULL,
    id                uuid NOT NULL,
    event_id          text NOT NULL,
    webhook_id        uuid NOT NULL,
    epoch             integer NOT NULL,
    attempt           integer NOT NULL,
    started_at        timestamptz NOT NULL,
    duration_ms       integer NOT NULL,
    outcome           text NOT NULL,
    status            smallint,
    unreachable_class text,
    error             text,
    response_body     text,
    step              text NOT NULL,
    next_attempt_at   timestamptz,
    PRIMARY KEY (started_on, id),
    CONSTRAINT attempt_counts_from_1 CHECK (attempt >= 1),
    CONSTRAINT outcome_is_known CHECK (outcome IN ('accepted', 'refused', 'gone', 'unreachable', 'interrupted')),
    CONSTRAINT step_is_known CHECK (step IN ('succeed', 'retry', 'fail', 'disable')),
    CONSTRAINT accepted_succeeds CHECK ((outcome = 'accepted') = (step = 'succeed')),
    CONSTRAINT only_a_retry_is_scheduled CHECK ((step = 'retry') = (next_attempt_at IS NOT NULL)),
    CONSTRAINT unreachable_has_a_class CHECK ((outcome = 'unreachable') = (unreachable_class IS NOT NULL))
) PARTITION BY RANGE (started_on);
-- For a webhook's latest attempts, and for all attempts of a delivery.
CREATE INDEX attempts_of_webhook ON attempts (webhook_id, started_at);
CREATE INDEX attempts_of_event ON attempts (event_id);

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
    PRIMARY KEY (rejected_on, id)
) PARTITION BY RANGE (rejected_on);

-- Deliveries whose webhook was gone when they returned. A partition per day.
CREATE TABLE dropped_deliveries (
    dropped_on date NOT NULL,
    event_id   text NOT NULL,
    webhook_id uuid NOT NULL,
    dropped_at timestamptz NOT NULL,
    reason     text NOT NULL,
    PRIMARY KEY (dropped_on, event_id, webhook_id)
) PARTITION BY RANGE (dropped_on);
