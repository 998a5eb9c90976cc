-- The reference of a company's event, which names it among those of all companies: 128 bits of SHA-256
-- over the company and the id, each behind its length in bytes. Posthorn makes the same in Rust.
CREATE FUNCTION event_ref(company_id text, event_id text) RETURNS uuid LANGUAGE sql IMMUTABLE AS $$
    SELECT encode(substring(sha256(
        int4send(octet_length(company_id)) || convert_to(company_id, 'UTF8')
            || int4send(octet_length(event_id)) || convert_to(event_id, 'UTF8')) FROM 1 FOR 16), 'hex')::uuid
$$;

-- An id is unique only within its company: what names an event is its reference. `digest` tells its
-- content from another that came with the same id.
ALTER TABLE events ADD COLUMN ref uuid, ADD COLUMN digest uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000';
UPDATE events SET ref = event_ref(company_id, id);
ALTER TABLE events
    ALTER COLUMN ref SET NOT NULL,
    ALTER COLUMN digest DROP DEFAULT,
    DROP CONSTRAINT events_pkey,
    ADD PRIMARY KEY (ref, received_on);
DROP INDEX events_by_time, events_of_company;
-- For the latest events, of all and of a company.
CREATE INDEX events_by_time ON events (received_at, ref);
CREATE INDEX events_of_company ON events (company_id, received_at, ref);
-- For whoever knows only the producer's id.
CREATE INDEX events_by_id ON events (id);

ALTER TABLE attempts
    ADD COLUMN event_ref uuid,
    -- Which content was sent.
    ADD COLUMN digest    uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000';
UPDATE attempts SET event_ref = event_ref(company_id, event_id);
ALTER TABLE attempts ALTER COLUMN event_ref SET NOT NULL, ALTER COLUMN digest DROP DEFAULT;
DROP INDEX attempts_of_delivery;
CREATE INDEX attempts_of_delivery ON attempts (event_ref, webhook_id);

ALTER TABLE dropped_deliveries ADD COLUMN company_id text NOT NULL DEFAULT '', ADD COLUMN event_ref uuid;
UPDATE dropped_deliveries SET event_ref = event_ref(company_id, event_id);
ALTER TABLE dropped_deliveries
    ALTER COLUMN company_id DROP DEFAULT,
    ALTER COLUMN event_ref SET NOT NULL,
    DROP CONSTRAINT dropped_deliveries_pkey,
    ADD PRIMARY KEY (event_ref, webhook_id, dropped_on);

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

-- A replay's place among the events is a time and a reference. One that runs goes over that moment again.
ALTER TABLE replays DROP COLUMN done_id, ADD COLUMN done_ref uuid;
UPDATE replays SET done_ref = '00000000-0000-0000-0000-000000000000' WHERE done_at IS NOT NULL;

-- How many notifications each webhook has had: the last one's sequence number.
CREATE TABLE notification_sequences (
    webhook_id uuid PRIMARY KEY,
    last       bigint NOT NULL
);
ALTER TABLE notifications ADD COLUMN sequence bigint;
-- Numbers each webhook's notifications from 1. The row stays locked until the transaction ends, so that
-- numbers follow the order of commits.
CREATE FUNCTION number_notification() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO notification_sequences AS known (webhook_id, last) VALUES (NEW.webhook_id, 1)
    ON CONFLICT (webhook_id) DO UPDATE SET last = known.last + 1
    RETURNING last INTO NEW.sequence;
    RETURN NEW;
END $$;
CREATE TRIGGER numbered BEFORE INSERT ON notifications
    FOR EACH ROW WHEN (NEW.sequence IS NULL) EXECUTE FUNCTION number_notification();
-- Those that are there, in their order.
DO $$
DECLARE
    waiting bigint;
BEGIN
    FOR waiting IN SELECT number FROM notifications ORDER BY number LOOP
        WITH next AS (
            INSERT INTO notification_sequences AS known (webhook_id, last)
            SELECT webhook_id, 1 FROM notifications WHERE number = waiting
            ON CONFLICT (webhook_id) DO UPDATE SET last = known.last + 1 RETURNING last)
        UPDATE notifications SET sequence = next.last FROM next WHERE number = waiting;
    END LOOP;
END $$;
ALTER TABLE notifications ALTER COLUMN sequence SET NOT NULL;

-- Outcomes name their event by its reference now; those that don't are forgotten.
UPDATE webhooks SET disabled_outcome = NULL WHERE disabled_outcome IS NOT NULL;
UPDATE notifications SET outcome = NULL WHERE outcome IS NOT NULL;

UPDATE event_types SET example = jsonb_build_object('sequence', 1) || CASE WHEN example ? 'outcome'
    THEN jsonb_set(example, '{outcome,event_ref}', '"evt_2fb6e32466ebfbb5c3d3a9d0b1c2e4f6"') ELSE example END
WHERE type LIKE 'webhook.%' AND grouped = 'Posthorn' AND example IS NOT NULL;
