ALTER TABLE webhooks
    ADD COLUMN description text NOT NULL DEFAULT '',
    -- Headers of its own for every request: an object of strings. May hold what only its owner may see.
    ADD COLUMN headers jsonb NOT NULL DEFAULT '{}',
    -- What its owner wants to remember of it: an object of strings.
    ADD COLUMN metadata jsonb NOT NULL DEFAULT '{}',
    ADD CONSTRAINT description_is_bounded CHECK (length(description) <= 2000),
    ADD CONSTRAINT headers_is_an_object CHECK (jsonb_typeof(headers) = 'object'),
    ADD CONSTRAINT metadata_is_an_object CHECK (jsonb_typeof(metadata) = 'object'),
    ADD CONSTRAINT contact_is_bounded CHECK (length(contact) BETWEEN 1 AND 200);

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
    PRIMARY KEY (webhook_id, revision)
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
INSERT INTO webhook_versions (webhook_id, revision, since, state, reason, rules, epoch)
    SELECT id, revision, created_at, state, disabled_reason, rules, epoch FROM webhooks;

-- Who may use the management API.
CREATE TABLE tokens (
    id         uuid PRIMARY KEY,
    name       text NOT NULL,
    -- SHA-256 of the token, which is 32 random bytes.
    hash       bytea NOT NULL UNIQUE,
    scopes     text[] NOT NULL,
    -- The companies that it sees; null for all.
    companies  text[],
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,
    revoked_at timestamptz,
    CONSTRAINT name_is_short CHECK (length(name) BETWEEN 1 AND 200),
    CONSTRAINT scopes_are_known CHECK (scopes <@ '{read,write,publish,admin}' AND cardinality(scopes) > 0),
    CONSTRAINT companies_is_not_empty CHECK (cardinality(companies) > 0),
    CONSTRAINT admin_sees_all CHECK (companies IS NULL OR NOT scopes @> '{admin}')
);

-- Who changed what, and when. Rows are only ever added.
CREATE TABLE audit_log (
    id         bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at         timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- The token; null for the command line and for Posthorn itself.
    token_id   uuid,
    actor      text NOT NULL,
    request_id text,
    action     text NOT NULL,
    subject    text NOT NULL,
    subject_id text NOT NULL,
    before     jsonb,
    after      jsonb
);
CREATE INDEX audit_log_of ON audit_log (subject_id, id);

CREATE FUNCTION refuse_to_change_the_past() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit log is append-only';
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_log
    FOR EACH STATEMENT EXECUTE FUNCTION refuse_to_change_the_past();

-- A row without what only its owner may see: a token's hash, the values of headers.
CREATE FUNCTION without_secrets(changed jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN changed ? 'headers'
        THEN (changed - 'hash') || jsonb_build_object('headers',
            (SELECT coalesce(jsonb_object_agg(name, NULL), '{}') FROM jsonb_object_keys(changed -> 'headers') AS name))
        ELSE changed - 'hash' END
$$;

-- Writes a change into the audit log, whoever makes it: who that is, stands in posthorn.actor.
CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    actor  jsonb := coalesce(nullif(current_setting('posthorn.actor', true), '')::jsonb, '{}');
    was    jsonb := without_secrets(to_jsonb(OLD));
    is_now jsonb := without_secrets(to_jsonb(NEW));
    entry  jsonb := coalesce(is_now, was);
    id     text  := CASE WHEN TG_NARGS = 2 THEN TG_ARGV[1] || replace(entry ->> 'id', '-', '')
                    ELSE concat_ws('/', entry ->> 'company_id', entry ->> 'id', entry ->> 'type') END;
BEGIN
    INSERT INTO audit_log (token_id, actor, request_id, action, subject, subject_id, before, after)
    VALUES ((actor ->> 'token_id')::uuid, coalesce(actor ->> 'name', 'posthorn'), actor ->> 'request_id',
            coalesce(actor ->> 'action', TG_ARGV[0] || '.' || lower(TG_OP)), TG_ARGV[0], id, was, is_now);
    RETURN NULL;
END $$;
CREATE TRIGGER audit AFTER INSERT OR UPDATE ON webhooks
    FOR EACH ROW EXECUTE FUNCTION audit('webhook', 'whk_');
CREATE TRIGGER audit AFTER INSERT OR UPDATE ON tokens
    FOR EACH ROW EXECUTE FUNCTION audit('token', 'tok_');
-- Of the catalogue only what a person changes; what was seen is added without an actor.
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON event_types
    FOR EACH ROW WHEN (current_setting('posthorn.actor', true) <> '') EXECUTE FUNCTION audit('event_type');
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON companies
    FOR EACH ROW WHEN (current_setting('posthorn.actor', true) <> '') EXECUTE FUNCTION audit('company');
CREATE TRIGGER audit AFTER INSERT OR UPDATE OR DELETE ON projects
    FOR EACH ROW WHEN (current_setting('posthorn.actor', true) <> '') EXECUTE FUNCTION audit('project');

-- Requests that create something, by their Idempotency-Key: repeated ones get the first one's answer.
CREATE TABLE idempotency_keys (
    token_id    uuid NOT NULL,
    key         text NOT NULL,
    -- SHA-256 of method, path and body.
    fingerprint bytea NOT NULL,
    created_at  timestamptz NOT NULL DEFAULT now(),
    -- The answer, encrypted with the key key_id, since it may hold a secret; null while it runs.
    key_id      text,
    answer      bytea,
    PRIMARY KEY (token_id, key),
    CONSTRAINT answered_at_once CHECK ((key_id IS NULL) = (answer IS NULL))
);
CREATE INDEX idempotency_keys_old ON idempotency_keys (created_at);

-- Replays: deliveries of a time that are made again, in the background.
CREATE TABLE replays (
    id            uuid PRIMARY KEY,
    webhook_id    uuid NOT NULL REFERENCES webhooks ON DELETE CASCADE,
    since         timestamptz NOT NULL,
    until         timestamptz NOT NULL,
    -- A list of event types, with *; null for all.
    event_types   jsonb,
    which         text NOT NULL,
    dry_run       boolean NOT NULL,
    -- The companies that who asked for it sees; null for all.
    companies     text[],
    state         text NOT NULL DEFAULT 'running',
    -- Why it stopped.
    error         text,
    -- Events up to this one are done.
    done_at       timestamptz,
    done_id       text,
    examined      bigint NOT NULL DEFAULT 0,
    found         bigint NOT NULL DEFAULT 0,
    published     bigint NOT NULL DEFAULT 0,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    finished_at   timestamptz,
    -- Which process works on it, and until when nobody else may.
    claimed_by    uuid,
    claimed_until timestamptz NOT NULL DEFAULT '-infinity',
    CONSTRAINT which_is_known CHECK (which IN ('failed', 'missed', 'all')),
    CONSTRAINT state_is_known CHECK (state IN ('running', 'finished', 'canceled', 'stopped')),
    CONSTRAINT ends_after_it_begins CHECK (since < until),
    CONSTRAINT stopped_says_why CHECK ((state = 'stopped') = (error IS NOT NULL)),
    CONSTRAINT finished_says_when CHECK ((state = 'running') = (finished_at IS NULL))
);
CREATE INDEX replays_running ON replays (claimed_until) WHERE state = 'running';
CREATE INDEX replays_of_webhook ON replays (webhook_id, id);

ALTER TABLE attempts
    ADD COLUMN event_type       text NOT NULL DEFAULT '',
    ADD COLUMN company_id       text NOT NULL DEFAULT '',
    -- How long its parts took: name lookup and connecting are null where there was no need to.
    ADD COLUMN dns_ms           integer,
    ADD COLUMN connect_ms       integer,
    ADD COLUMN first_byte_ms    integer,
    -- A list of pairs, as far as they are kept.
    ADD COLUMN response_headers jsonb;
DROP INDEX attempts_of_event;
CREATE INDEX attempts_of_delivery ON attempts (event_id, webhook_id);
-- For a webhook's latest failures, which may be few among many attempts.
CREATE INDEX attempts_failed ON attempts (webhook_id, started_at) WHERE outcome <> 'accepted';

-- By its id alone an event, or a rejected one, is looked for in every partition: the id comes first.
ALTER TABLE events DROP CONSTRAINT events_pkey, ADD PRIMARY KEY (id, received_on);
ALTER TABLE rejected_events DROP CONSTRAINT rejected_events_pkey, ADD PRIMARY KEY (id, rejected_on);
-- For the latest events, of all and of a company.
CREATE INDEX events_by_time ON events (received_at, id);
CREATE INDEX events_of_company ON events (company_id, received_at, id);

ALTER TABLE rejected_events
    -- What a person has made of it: published again, or discarded.
    ADD COLUMN resolution  text,
    ADD COLUMN resolved_at timestamptz,
    ADD CONSTRAINT resolution_is_known CHECK (resolution IN ('published', 'discarded')),
    ADD CONSTRAINT resolved_says_when CHECK ((resolution IS NULL) = (resolved_at IS NULL));
