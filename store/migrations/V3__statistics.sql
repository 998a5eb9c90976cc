-- What was counted, by webhook and time.

-- What happened in a minute, to each webhook and to all together. A partition per day; before one is
-- dropped, its sums go into statistics_hours.
CREATE TABLE statistics_minutes (
    day         date NOT NULL,
    -- The UUID with all bits set stands for all webhooks together; it comes last in the order of keys.
    webhook_id  uuid NOT NULL,
    minute      timestamptz NOT NULL,
    events      integer NOT NULL,
    accepted    integer NOT NULL,
    refused     integer NOT NULL,
    gone        integer NOT NULL,
    unreachable integer NOT NULL,
    interrupted integer NOT NULL,
    -- Deliveries that failed for good.
    failed      integer NOT NULL,
    -- Counts of latencies up to 1 ms × √2^n for n from 0 to 30, of attempts that were answered.
    latency     integer[] NOT NULL,
    -- A webhook's minutes lie together: with the day first, a span of days would read those of all webhooks.
    PRIMARY KEY (webhook_id, minute, day),
    CONSTRAINT latency_has_31_counts CHECK (cardinality(latency) = 31)
) PARTITION BY RANGE (day);

-- The same by the hour, of days whose minutes are gone.
CREATE TABLE statistics_hours (
    webhook_id  uuid NOT NULL,
    hour        timestamptz NOT NULL,
    events      bigint NOT NULL,
    accepted    bigint NOT NULL,
    refused     bigint NOT NULL,
    gone        bigint NOT NULL,
    unreachable bigint NOT NULL,
    interrupted bigint NOT NULL,
    failed      bigint NOT NULL,
    latency     bigint[] NOT NULL,
    PRIMARY KEY (webhook_id, hour),
    CONSTRAINT latency_has_31_counts CHECK (cardinality(latency) = 31)
);
-- For the removal of old hours, which lie together.
CREATE INDEX statistics_hours_old ON statistics_hours USING brin (hour);
