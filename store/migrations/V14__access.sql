-- Tells the API's processes which token, or which event type's schema, to look at again: they keep both in
-- memory, so that events are taken while the database is away.
CREATE FUNCTION notify_token() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('posthorn_tokens', coalesce(NEW.id, OLD.id)::text);
    RETURN NULL;
END $$;
CREATE TRIGGER token_changed AFTER INSERT OR UPDATE OR DELETE ON tokens
    FOR EACH ROW EXECUTE FUNCTION notify_token();

CREATE FUNCTION notify_schema() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    -- Types that are merely seen have none, and are many.
    IF OLD.schema IS NOT NULL OR NEW.schema IS NOT NULL THEN
        PERFORM pg_notify('posthorn_schemas', coalesce(NEW.type, OLD.type));
    END IF;
    RETURN NULL;
END $$;
CREATE TRIGGER schema_changed AFTER INSERT OR UPDATE OR DELETE ON event_types
    FOR EACH ROW EXECUTE FUNCTION notify_schema();
-- For loading them all.
CREATE INDEX event_types_with_a_schema ON event_types (type) WHERE schema IS NOT NULL;

-- The companies that a webhook's rules name; null if a rule names none, since it wants all.
CREATE FUNCTION companies_of(rules jsonb) RETURNS text[] LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN NOT EXISTS (SELECT FROM jsonb_array_elements(rules) AS rule WHERE NOT rule ? 'companies')
        THEN ARRAY(SELECT DISTINCT company
                   FROM jsonb_array_elements(rules) AS rule, jsonb_array_elements_text(rule -> 'companies') AS company
                   ORDER BY company) END
$$;
-- For a company's quotas: its webhooks.
CREATE INDEX webhooks_of_companies ON webhooks USING gin (companies_of(rules)) WHERE state <> 'deleted';
