-- The hash of an erased address is keyed, so that nobody can try addresses out on a copy of the table. The key is drawn
-- here, once, and stands in the function, which so costs no look-up. What was hashed without a key goes.
DELETE FROM erased;
DO $$
BEGIN
    EXECUTE format(
        'CREATE OR REPLACE FUNCTION place(tenant text, address text) RETURNS bytea LANGUAGE sql STABLE '
        'RETURN substring(sha256(%L::bytea || convert_to(tenant || E''\x1f'' || address, ''UTF8'')) FROM 1 FOR 16)',
        sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()))
    );
END
$$;
