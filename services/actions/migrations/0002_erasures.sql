-- That an address was erased, and when, without the address: what is older and comes late must not bring it back.

CREATE TABLE erasure_key (
    secret bytea NOT NULL
);
INSERT INTO erasure_key SELECT uuid_send(gen_random_uuid()) || uuid_send(gen_random_uuid());

CREATE TABLE erasures (
    digest bytea PRIMARY KEY,                       -- of the secret, the tenant and the address
    erased_at timestamptz NOT NULL
);

CREATE INDEX operation_items_address ON operation_items (tenant, address);
