-- A history of ten days: 100 webhooks, 250,000 events, 1,000,000 attempts, of which two webhooks have a
-- quarter each; a catalogue, and statistics of three months.
DO $$ DECLARE day date; tbl text; BEGIN
    FOR day IN SELECT generate_series(current_date - 10, current_date + 1, '1 day') LOOP
        FOREACH tbl IN ARRAY '{events,event_conflicts,attempts,rejected_events,dropped_deliveries}'::text[] LOOP
            EXECUTE format('CREATE TABLE IF NOT EXISTS %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)',
                           tbl || '_' || to_char(day, 'YYYYMMDD'), tbl, day, day + 1);
        END LOOP;
    END LOOP;
END $$;
INSERT INTO webhooks (id, name, url, rules)
    SELECT ('00000000-0000-7000-8000-' || lpad(n::text, 12, '0'))::uuid, 'webhook ' || n,
           'https://example.com/' || n, jsonb_build_array(jsonb_build_object('companies', jsonb_build_array('c' || n % 50)))
    FROM generate_series(1, 100) AS n;
CREATE TEMP TABLE routed AS
    SELECT n, now() - interval '10 days' + n * interval '3.4 seconds' AS at,
           ARRAY(SELECT ('00000000-0000-7000-8000-' || lpad(w::text, 12, '0'))::uuid
                 FROM unnest(ARRAY[1, 2, 3 + n % 49, 52 + n % 49]) AS w) AS webhook_ids
    FROM generate_series(1, 250000) AS n;
INSERT INTO events (received_on, ref, digest, id, received_at, type, company_id, project_id, message, webhook_ids)
    SELECT (at AT TIME ZONE 'utc')::date, event_ref('c' || n % 50, 'evt-' || n), '00000000-0000-0000-0000-000000000000', 'evt-' || n, at,
           CASE WHEN n % 50000 = 7 THEN 'rare.kind' ELSE 'kind_' || n % 20 || '.done' END,
           'c' || n % 50, 'p' || n % 200,
           '\x0a'::bytea || set_byte('\x00', 0, length('evt-' || n)) || convert_to('evt-' || n, 'UTF8')
               || '\x120a62656e63682e646f6e6532027b7d'::bytea, webhook_ids
    FROM routed;
INSERT INTO attempts (started_on, id, event_ref, digest, event_id, webhook_id, epoch, attempt, started_at, duration_ms, outcome, status,
                      step, event_type, company_id, first_byte_ms, response_headers)
    SELECT (at AT TIME ZONE 'utc')::date, gen_random_uuid(), event_ref('c' || n % 50, 'evt-' || n), '00000000-0000-0000-0000-000000000000', 'evt-' || n,
           webhook_id, 1, 1, at + interval '5 ms', 20,
           CASE WHEN n % 33 = 0 THEN 'refused' ELSE 'accepted' END, CASE WHEN n % 33 = 0 THEN 500 ELSE 200 END,
           CASE WHEN n % 33 = 0 THEN 'give_up' ELSE 'succeed' END,
           CASE WHEN n % 50000 = 7 THEN 'rare.kind' ELSE 'kind_' || n % 20 || '.done' END, 'c' || n % 50, 15,
           '[["content-type", "text/plain"], ["server", "bench"]]'
    FROM routed, unnest(webhook_ids) AS webhook_id;
INSERT INTO rejected_events (rejected_on, id, rejected_at, field, reason, routing_key, message_id, size, message)
    SELECT (at AT TIME ZONE 'utc')::date, gen_random_uuid(), at, 'type', 'is empty', '', '', 1, '\x0a' FROM routed WHERE n % 100 = 0;
INSERT INTO companies (id, name) SELECT 'c' || n, 'Company ' || n FROM generate_series(0, 9999) AS n;
INSERT INTO projects (company_id, id, name)
    SELECT 'c' || n % 1000, 'p' || n, 'Project ' || n FROM generate_series(0, 99999) AS n;
INSERT INTO event_types (type, description)
    SELECT 'kind_' || n || '.done', 'Kind ' || n FROM generate_series(0, 999) AS n;
DO $$ DECLARE day date; tbl text; BEGIN
    FOR day IN SELECT generate_series(current_date - 3, current_date + 1, '1 day') LOOP
        EXECUTE format('CREATE TABLE IF NOT EXISTS %I PARTITION OF statistics_minutes FOR VALUES FROM (%L) TO (%L)',
                       'statistics_minutes_' || to_char(day, 'YYYYMMDD'), day, day + 1);
    END LOOP;
END $$;
INSERT INTO statistics_minutes (day, webhook_id, minute, events, accepted, refused, gone, unreachable, interrupted,
                                failed, latency)
    SELECT (minute AT TIME ZONE 'utc')::date, webhook.id, minute, 7, 7, 1, 0, 0, 0, 0, array_fill(1, ARRAY[31])
    FROM generate_series(date_trunc('minute', now()) - interval '2 days', now(), '1 minute') AS minute,
         (SELECT id FROM webhooks UNION SELECT 'ffffffff-ffff-ffff-ffff-ffffffffffff') AS webhook;
INSERT INTO statistics_hours (webhook_id, hour, events, accepted, refused, gone, unreachable, interrupted, failed, latency)
    SELECT webhook.id, hour, 420, 420, 60, 0, 0, 0, 0, array_fill(60, ARRAY[31])
    FROM generate_series(date_trunc('hour', now()) - interval '90 days', now() - interval '3 days', '1 hour') AS hour,
         (SELECT id FROM webhooks UNION SELECT 'ffffffff-ffff-ffff-ffff-ffffffffffff') AS webhook;
VACUUM ANALYZE;
