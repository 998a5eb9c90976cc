-- Webhooks, their secrets, their health, and what they were.

-- Rises with every change to a webhook: routers and dispatchers compare it with what they know.
CREATE SEQUENCE webhook_revision;

-- A webhook is a URL that wants some events. Deleted ones stay until their queue is gone.
CREATE TABLE webhooks (
    id               uuid PRIMARY KEY,
    name             text NOT NULL DEFAULT '',
    description      text NOT NULL DEFAULT '',
    url              text NOT NULL,
    rules            jsonb NOT NULL,
    timeout_ms       integer NOT NULL DEFAULT 15000,
    max_in_flight    integer NOT NULL DEFAULT 16,
    -- Whether attempts may speak HTTP/2, where the receiver offers it.
    http2            boolean NOT NULL DEFAULT false,
    -- Headers of its own for every request. Their values may hold what only its owner and its receiver may
    -- see: an object of strings, encrypted with the key of POSTHORN_SECRET_KEYS that is named.
    header_names     text[] NOT NULL DEFAULT '{}',
    headers_key_id   text,
    headers_sealed   bytea,
    -- What its owner wants to remember of it: an object of strings.
    metadata         jsonb NOT NULL DEFAULT '{}',
    -- Where people are told by mail what happens to it.
    contact          text,
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
    CONSTRAINT description_is_bounded CHECK (length(description) <= 2000),
    CONSTRAINT url_is_bounded CHECK (length(url) BETWEEN 1 AND 2048),
    -- How many rules a webhook may have is a setting; this is its highest.
    CONSTRAINT rules_are_1_to_200 CHECK (jsonb_typeof(rules) = 'array' AND jsonb_array_length(rules) BETWEEN 1 AND 200),
    CONSTRAINT timeout_is_1_to_30_s CHECK (timeout_ms BETWEEN 1000 AND 30000),
    CONSTRAINT max_in_flight_is_1_to_1000 CHECK (max_in_flight BETWEEN 1 AND 1000),
    CONSTRAINT headers_are_sealed_with_a_key CHECK ((headers_key_id IS NULL) = (headers_sealed IS NULL)),
    CONSTRAINT named_headers_are_sealed CHECK ((headers_sealed IS NULL) = (header_names = '{}')),
    CONSTRAINT metadata_is_an_object CHECK (jsonb_typeof(metadata) = 'object'),
    CONSTRAINT contact_is_bounded CHECK (length(contact) BETWEEN 1 AND 200),
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

-- The companies that a webhook's rules name; null if a rule names none, since it wants all.
CREATE FUNCTION companies_of(rules jsonb) RETURNS text[] LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN NOT EXISTS (SELECT FROM jsonb_array_elements(rules) AS rule WHERE NOT rule ? 'companies')
        THEN ARRAY(SELECT DISTINCT company
                   FROM jsonb_array_elements(rules) AS rule, jsonb_array_elements_text(rule -> 'companies') AS company
                   ORDER BY company) END
$$;
-- For a company's quotas: its webhooks.
CREATE INDEX webhooks_of_companies ON webhooks USING gin (companies_of(rules)) WHERE state <> 'deleted';

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

-- When a webhook's attempts last succeeded and failed, and whether it counts as failing. Apart from
-- `webhooks`, so that writing it tells nobody to look at the webhook again.
CREATE TABLE webhook_health (
    webhook_id       uuid PRIMARY KEY,
    last_accepted_at timestamptz,
    last_failed_at   timestamptz,
    -- While it fails: in which epoch, and until its deliveries in trouble were due again.
    failing_epoch    integer,
    failing_until    timestamptz,
    -- When people were told last that it fails.
    told_failing_at  timestamptz,
    CONSTRAINT failing_has_an_epoch CHECK ((failing_epoch IS NULL) = (failing_until IS NULL))
) WITH (fillfactor = 50);

-- What a webhook was at a time, as far as it decides which events it gets: for Explain, and for the
-- events that it missed.
CREATE TABLE webhook_versions (
    webhook_id uuid NOT NULL REFERENCES webhooks ON DELETE CASCADE,
    revision   bigint NOT NULL,
    since      timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- Null for the current one.
    until      timestamptz,
    state      text NOT NULL,
    reason     text,
    rules      jsonb NOT NULL,
    epoch      integer NOT NULL,
    PRIMARY KEY (webhook_id, revision),
    CONSTRAINT state_is_known CHECK (state IN ('enabled', 'paused', 'disabled', 'deleted'))
);
CREATE UNIQUE INDEX one_current_version ON webhook_versions (webhook_id) WHERE until IS NULL;
-- For the removal of those that are older than the events.
CREATE INDEX webhook_versions_past ON webhook_versions (until) WHERE until IS NOT NULL;

CREATE FUNCTION keep_webhook_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF (NEW.state, NEW.rules, NEW.epoch) IS NOT DISTINCT FROM (OLD.state, OLD.rules, OLD.epoch) THEN
            RETURN NULL;
        END IF;
        UPDATE webhook_versions SET until = clock_timestamp() WHERE webhook_id = NEW.id AND until IS NULL;
    END IF;
    INSERT INTO webhook_versions (webhook_id, revision, state, reason, rules, epoch)
    VALUES (NEW.id, NEW.revision, NEW.state, NEW.disabled_reason, NEW.rules, NEW.epoch);
    RETURN NULL;
END $$;
CREATE TRIGGER webhook_version AFTER INSERT OR UPDATE ON webhooks
    FOR EACH ROW EXECUTE FUNCTION keep_webhook_version();
