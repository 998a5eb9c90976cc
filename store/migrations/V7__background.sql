-- Replays: deliveries of a time that are made again, in the background.
CREATE TABLE replays (
    id            uuid PRIMARY KEY,
    webhook_id    uuid NOT NULL REFERENCES webhooks ON DELETE CASCADE,
    since         timestamptz NOT NULL,
    until         timestamptz NOT NULL,
    -- A list of event types, with *; null for all.
    event_types   jsonb,
    kind          text NOT NULL,
    dry_run       boolean NOT NULL,
    -- The companies that who asked for it sees; null for all.
    companies     text[],
    state         text NOT NULL DEFAULT 'running',
    -- Why it stopped.
    error         text,
    -- Events up to this one, a time and a reference, are done.
    done_at       timestamptz,
    done_ref      uuid,
    examined      bigint NOT NULL DEFAULT 0,
    found         bigint NOT NULL DEFAULT 0,
    published     bigint NOT NULL DEFAULT 0,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    finished_at   timestamptz,
    -- Which process works on it, and until when nobody else may.
    claimed_by    uuid,
    claimed_until timestamptz NOT NULL DEFAULT '-infinity',
    CONSTRAINT kind_is_known CHECK (kind IN ('failed', 'missed', 'all')),
    CONSTRAINT state_is_known CHECK (state IN ('running', 'finished', 'canceled', 'stopped')),
    CONSTRAINT ends_after_it_begins CHECK (since < until),
    CONSTRAINT stopped_says_why CHECK ((state = 'stopped') = (error IS NOT NULL)),
    CONSTRAINT finished_says_when CHECK ((state = 'running') = (finished_at IS NULL))
);
CREATE INDEX replays_running ON replays (claimed_until) WHERE state = 'running';
CREATE INDEX replays_of_webhook ON replays (webhook_id, id);

-- What the API has promised to send to RabbitMQ: written in the transaction that promises it, together with
-- its audit entry; deleted once RabbitMQ has confirmed it.
CREATE TABLE outbox (
    id          uuid PRIMARY KEY,
    -- The webhook whose queue it goes to; null for an event, which goes to the router.
    webhook_id  uuid REFERENCES webhooks ON DELETE CASCADE,
    -- Of a delivery: its event, and when that came.
    event_ref   uuid,
    received_at timestamptz,
    message     bytea NOT NULL,
    -- Until then one process tries to send it; after that any other may.
    due_at      timestamptz NOT NULL,
    CONSTRAINT delivery_or_event CHECK
        ((webhook_id IS NULL) = (event_ref IS NULL) AND (webhook_id IS NULL) = (received_at IS NULL))
);
CREATE INDEX outbox_due ON outbox (due_at);
