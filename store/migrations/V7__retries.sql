-- For the oldest retry that is due and was not made.
CREATE INDEX attempts_to_retry ON attempts (next_attempt_at) WHERE step = 'retry';
