-- A webhook's minutes lie together: with the day first, a span of days read those of all webhooks.
ALTER TABLE statistics_minutes DROP CONSTRAINT statistics_minutes_pkey, ADD PRIMARY KEY (webhook_id, minute, day);
