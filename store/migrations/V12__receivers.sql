-- Headers of a webhook's own may hold what only its owner and its receiver may see: their values are
-- encrypted like its secrets.
DO $$
BEGIN
    IF EXISTS (SELECT FROM webhooks WHERE state <> 'deleted' AND headers <> '{}') THEN
        RAISE EXCEPTION 'webhooks have headers of their own, which were not encrypted: take them away (`posthorn webhook change WEBHOOK --unset headers`), migrate, and set them again';
    END IF;
END $$;
ALTER TABLE webhooks
    DROP COLUMN headers,
    ADD COLUMN header_names   text[] NOT NULL DEFAULT '{}',
    -- The name of the key in POSTHORN_SECRET_KEYS that opens it, and an object of strings, encrypted.
    ADD COLUMN headers_key_id text,
    ADD COLUMN headers_sealed bytea,
    -- Whether attempts may speak HTTP/2, where the receiver offers it.
    ADD COLUMN http2          boolean NOT NULL DEFAULT false,
    ADD CONSTRAINT headers_are_sealed_with_a_key CHECK ((headers_key_id IS NULL) = (headers_sealed IS NULL)),
    ADD CONSTRAINT named_headers_are_sealed CHECK ((headers_sealed IS NULL) = (header_names = '{}'));

-- A row without what only its owner may see: a token's hash, the values of headers.
CREATE OR REPLACE FUNCTION without_secrets(changed jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN changed ? 'header_names'
        THEN (changed - '{hash,header_names,headers_key_id,headers_sealed}'::text[]) || jsonb_build_object('headers',
            (SELECT coalesce(jsonb_object_agg(name, NULL), '{}')
             FROM jsonb_array_elements_text(changed -> 'header_names') AS name))
        ELSE changed - 'hash' END
$$;

-- Where an attempt went that got no answer: for operators, whose network it may be.
ALTER TABLE attempts ADD COLUMN address inet;
