-- A keyed hash of each erased address: an event from before the erasure that arrives late does not bring it back.

-- The key is generated here, once, and stands in the function, which costs no look-up: nobody can try addresses out on a
-- copy of the table alone.
DO $$
BEGIN
    EXECUTE format(
        'CREATE FUNCTION erased_key(tenant text, address text) RETURNS bytea LANGUAGE sql STABLE '
        'RETURN substring(sha256(%L::bytea || convert_to(tenant || E''\x1f'' || address, ''UTF8'')) FROM 1 FOR 16)',
        sha256(uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid()))
    );
END
$$;

CREATE TABLE erased_addresses (
    key bytea PRIMARY KEY,                          -- erased_key(tenant, address)
    erased_at timestamptz NOT NULL
);
CREATE INDEX erased_addresses_time ON erased_addresses USING brin (erased_at);
