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
