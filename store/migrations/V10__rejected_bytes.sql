-- How many bytes of rejected messages are kept, by the day of their partition: what is kept in all is bounded.
CREATE TABLE rejected_bytes (
    day   date PRIMARY KEY,
    bytes bigint NOT NULL
);

-- For the oldest messages whose bytes are kept: those make room.
CREATE INDEX rejected_with_bytes ON rejected_events (id) WHERE octet_length(message) > 0;
