-- How many rules a webhook may have is a setting; this is its highest.
ALTER TABLE webhooks
    DROP CONSTRAINT rules_are_1_to_20,
    ADD CONSTRAINT rules_are_1_to_200
        CHECK (jsonb_typeof(rules) = 'array' AND jsonb_array_length(rules) BETWEEN 1 AND 200);
