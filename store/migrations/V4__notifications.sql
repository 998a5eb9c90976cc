-- Where people are told by mail what happens to the webhook.
ALTER TABLE webhooks ADD COLUMN contact text;

-- While a webhook fails: in which epoch, and until its deliveries in trouble were due again.
ALTER TABLE webhook_health
    ADD COLUMN failing_epoch   integer,
    ADD COLUMN failing_until   timestamptz,
    -- When people were told last that it fails.
    ADD COLUMN told_failing_at timestamptz,
    ADD CONSTRAINT failing_has_an_epoch CHECK ((failing_epoch IS NULL) = (failing_until IS NULL));

-- What must be told about webhooks: written with the change that it tells of, gone once the broker has
-- its event.
CREATE TABLE notifications (
    number      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind        text NOT NULL,
    webhook_id  uuid NOT NULL,
    epoch       integer NOT NULL,
    happened_at timestamptz NOT NULL,
    reason      text,
    outcome     jsonb,
    -- Whoever takes it moves this on: until then nobody else does.
    due_at      timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT kind_is_known CHECK (kind IN ('failing', 'recovered', 'disabled', 'enabled')),
    CONSTRAINT only_disabled_has_a_reason CHECK ((kind = 'disabled') = (reason IS NOT NULL))
);

-- Mails that must be sent; gone once the server has taken them.
CREATE TABLE mails (
    number     bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    recipient  text NOT NULL,
    event_id   text NOT NULL,
    subject    text NOT NULL,
    text       text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    due_at     timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX mails_due ON mails (due_at);

-- Whoever disables or enables a webhook, it is told.
CREATE FUNCTION notify_of_state() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO notifications (kind, webhook_id, epoch, happened_at, reason, outcome)
    VALUES (NEW.state, NEW.id, NEW.epoch, coalesce(NEW.disabled_at, clock_timestamp()), NEW.disabled_reason,
            NEW.disabled_outcome);
    RETURN NULL;
END $$;
CREATE TRIGGER webhook_state_is_told AFTER UPDATE OF state ON webhooks
    FOR EACH ROW
    WHEN (NEW.state <> OLD.state AND (NEW.state = 'disabled' OR (OLD.state, NEW.state) = ('disabled', 'enabled')))
    EXECUTE FUNCTION notify_of_state();
