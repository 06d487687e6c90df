-- That an address was erased, and when, without the address: what happened before and comes late must not bring it back.
-- The hash is keyed, so that nobody can try addresses out on a copy of the table; the key is drawn here, once, and stands
-- in the function, which so costs no look-up.
CREATE TABLE erased (
    place bytea PRIMARY KEY,
    time timestamptz NOT NULL
);
DO $$
BEGIN
    EXECUTE format(
        'CREATE FUNCTION place(tenant text, address text) RETURNS bytea LANGUAGE sql STABLE '
        'RETURN substring(sha256(%L::bytea || convert_to(tenant || E''\x1f'' || address, ''UTF8'')) FROM 1 FOR 16)',
        sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()))
    );
END
$$;
