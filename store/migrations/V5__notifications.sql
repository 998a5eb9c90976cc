-- What must be told about webhooks, as events and by mail.

-- Notifications: written with the change that they tell of, gone once the broker has their event.
CREATE TABLE notifications (
    number      bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind        text NOT NULL,
    webhook_id  uuid NOT NULL,
    -- Counts each webhook's notifications from 1.
    sequence    bigint NOT NULL,
    epoch       integer NOT NULL,
    happened_at timestamptz NOT NULL,
    reason      text,
    outcome     jsonb,
    -- Whoever takes it moves this on: until then nobody else does.
    due_at      timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT kind_is_known CHECK (kind IN ('failing', 'recovered', 'disabled', 'enabled')),
    CONSTRAINT only_disabled_has_a_reason CHECK ((kind = 'disabled') = (reason IS NOT NULL))
);

-- How many notifications each webhook has had: the last one's sequence number.
CREATE TABLE notification_sequences (
    webhook_id uuid PRIMARY KEY,
    last       bigint NOT NULL
);

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
