-- Least privilege in PostgreSQL. Run it as the owner of the database, after the first `posthorn migrate`
-- and again after each later one: what is granted already stays granted. The owner needs CREATEROLE, or
-- the three roles must exist. Give each a password:   ALTER ROLE posthorn_router PASSWORD '…';
--
-- The owner runs `posthorn migrate` and the recorder, which makes and drops partitions. The others
-- have logins of their own; all may LISTEN.

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['posthorn_router', 'posthorn_dispatcher', 'posthorn_api'] LOOP
        IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = name) THEN
            EXECUTE format('CREATE ROLE %I LOGIN', name);
        END IF;
    END LOOP;
END
$$;

GRANT USAGE ON SCHEMA public TO posthorn_router, posthorn_dispatcher, posthorn_api;

-- A router learns of webhooks and their rules, and sees no secret.
GRANT SELECT ON webhooks TO posthorn_router;

-- A dispatcher needs the secrets too, which POSTHORN_SECRET_KEYS opens.
GRANT SELECT ON webhooks, webhook_secrets TO posthorn_dispatcher;

-- Whoever manages webhooks, and looks at what happened: the API, and the command `posthorn webhook`.
GRANT SELECT, INSERT, UPDATE, DELETE ON webhooks, webhook_secrets TO posthorn_api;
GRANT USAGE ON SEQUENCE webhook_revision TO posthorn_api;
GRANT SELECT ON webhook_health, events, event_conflicts, attempts, dropped_deliveries TO posthorn_api;
GRANT SELECT, UPDATE ON rejected_events TO posthorn_api;
-- Triggers write these with every change.
GRANT INSERT ON audit_log, notifications TO posthorn_api;
GRANT SELECT, INSERT, UPDATE ON webhook_versions, notification_sequences TO posthorn_api;
-- Tokens, requests that are done once, replays, what is to be sent to RabbitMQ, the catalogue, statistics, and who changed what.
GRANT SELECT, INSERT, UPDATE, DELETE ON tokens, idempotency_keys, replays, outbox, event_types, companies,
    projects TO posthorn_api;
GRANT USAGE ON SEQUENCE catalogue_revision TO posthorn_api;
GRANT SELECT ON audit_log, statistics_minutes, statistics_hours TO posthorn_api;
