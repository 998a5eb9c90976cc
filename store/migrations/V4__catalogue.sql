-- Event types, companies and projects, for people to choose from.

-- Rises with every change to an event type: compiled schemas are kept by it.
CREATE SEQUENCE catalogue_revision;

-- Event types that were seen or described, for people to choose from. Keys are ordered by their bytes,
-- so that prefixes and pages use the index.
CREATE TABLE event_types (
    type        text COLLATE "C" PRIMARY KEY,
    description text NOT NULL DEFAULT '',
    -- Under which heading it is shown.
    grouped     text NOT NULL DEFAULT '',
    -- Data of an example event.
    example     jsonb,
    -- A JSON Schema of the data; kept as it was written.
    schema      json,
    revision    bigint NOT NULL DEFAULT nextval('catalogue_revision'),
    created_at  timestamptz NOT NULL DEFAULT now(),
    updated_at  timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT type_is_a_type CHECK (type ~ '^[A-Za-z0-9_]+(\.[A-Za-z0-9_]+)*$' AND length(type) <= 255),
    CONSTRAINT description_is_bounded CHECK (length(description) <= 10000),
    CONSTRAINT grouped_is_short CHECK (length(grouped) <= 200),
    CONSTRAINT example_is_an_object CHECK (jsonb_typeof(example) = 'object')
);

-- Companies that were seen or named.
CREATE TABLE companies (
    id         text COLLATE "C" PRIMARY KEY,
    name       text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT company_id_is_short CHECK (octet_length(id) BETWEEN 1 AND 255),
    CONSTRAINT company_name_is_short CHECK (length(name) <= 200)
);

-- Projects that were seen or named, each of one company. No foreign key: whoever adds what was seen
-- must not fail because somebody deletes the company.
CREATE TABLE projects (
    company_id text COLLATE "C" NOT NULL,
    id         text COLLATE "C" NOT NULL,
    name       text NOT NULL DEFAULT '',
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (company_id, id),
    CONSTRAINT project_company_is_short CHECK (octet_length(company_id) <= 255),
    CONSTRAINT project_id_is_short CHECK (octet_length(id) BETWEEN 1 AND 255),
    CONSTRAINT project_name_is_short CHECK (length(name) <= 200)
);

INSERT INTO event_types (type, grouped, description, example) VALUES
    ('webhook.failing', 'Posthorn', 'A delivery to a webhook has used half of its retries.',
     '{"sequence": 1, "webhook": {"id": "whk_0192f0c1d2e37a4bb5c6d7e8f9a0b1c2", "name": "orders", "url": "https://example.com/hook"}, "epoch": 1, "outcome": {"outcome": "refused", "status": 503, "unreachable_class": null, "error": null, "event_ref": "evt_2fb6e32466ebfbb5c3d3a9d0b1c2e4f6", "event_id": "e1", "attempt": 4, "response_body": ""}}'),
    ('webhook.recovered', 'Posthorn', 'A failing webhook accepts deliveries again.',
     '{"sequence": 1, "webhook": {"id": "whk_0192f0c1d2e37a4bb5c6d7e8f9a0b1c2", "name": "orders", "url": "https://example.com/hook"}, "epoch": 1}'),
    ('webhook.disabled', 'Posthorn', 'A webhook was disabled; reason: exhausted, gone or operator.',
     '{"sequence": 1, "webhook": {"id": "whk_0192f0c1d2e37a4bb5c6d7e8f9a0b1c2", "name": "orders", "url": "https://example.com/hook"}, "epoch": 1, "reason": "exhausted", "outcome": {"outcome": "refused", "status": 503, "unreachable_class": null, "error": null, "event_ref": "evt_2fb6e32466ebfbb5c3d3a9d0b1c2e4f6", "event_id": "e1", "attempt": 6, "response_body": ""}}'),
    ('webhook.enabled', 'Posthorn', 'A disabled webhook was enabled.',
     '{"sequence": 1, "webhook": {"id": "whk_0192f0c1d2e37a4bb5c6d7e8f9a0b1c2", "name": "orders", "url": "https://example.com/hook"}, "epoch": 2}');

-- Tells the API's processes which event type's schema to look at again: they keep schemas in memory, so that
-- events are taken while the database is away.
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
