-- Who may use the management API, who changed what, and requests that are done once.

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

-- Tells the API's processes which token to look at again: they keep tokens in memory, so that events are taken
-- while the database is away.
CREATE FUNCTION notify_token() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('posthorn_tokens', coalesce(NEW.id, OLD.id)::text);
    RETURN NULL;
END $$;
CREATE TRIGGER token_changed AFTER INSERT OR UPDATE OR DELETE ON tokens
    FOR EACH ROW EXECUTE FUNCTION notify_token();

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
    SELECT CASE WHEN changed ? 'header_names'
        THEN (changed - '{hash,header_names,headers_key_id,headers_sealed}'::text[]) || jsonb_build_object('headers',
            (SELECT coalesce(jsonb_object_agg(name, NULL), '{}')
             FROM jsonb_array_elements_text(changed -> 'header_names') AS name))
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
