-- Suppressions that are about the person and not about bounces: no clear lifts them. That somebody has left stands with the
-- address; unsubscribes stand in the history, by the id of their event; what ends them stands here, by stream ('' is all).
ALTER TABLE addresses
    ADD COLUMN former_at timestamptz,
    ADD COLUMN former_by text COLLATE "C",
    ADD COLUMN former_note text COLLATE "C",
    ADD COLUMN former_lifted_at timestamptz,
    ADD COLUMN streams text[] COLLATE "C",          -- that skip it; null: all
    ADD COLUMN also text[] COLLATE "C";             -- causes that hold besides the one reported
CREATE TABLE subscriptions (
    tenant text COLLATE "C" NOT NULL,
    address text COLLATE "C" NOT NULL,
    stream text COLLATE "C" NOT NULL,
    time timestamptz NOT NULL,
    by text COLLATE "C" NOT NULL,
    note text COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant, address, stream)
) PARTITION BY HASH (tenant, address);
CREATE TABLE subscriptions_0 PARTITION OF subscriptions FOR VALUES WITH (MODULUS 8, REMAINDER 0);
CREATE TABLE subscriptions_1 PARTITION OF subscriptions FOR VALUES WITH (MODULUS 8, REMAINDER 1);
CREATE TABLE subscriptions_2 PARTITION OF subscriptions FOR VALUES WITH (MODULUS 8, REMAINDER 2);
CREATE TABLE subscriptions_3 PARTITION OF subscriptions FOR VALUES WITH (MODULUS 8, REMAINDER 3);
CREATE TABLE subscriptions_4 PARTITION OF subscriptions FOR VALUES WITH (MODULUS 8, REMAINDER 4);
CREATE TABLE subscriptions_5 PARTITION OF subscriptions FOR VALUES WITH (MODULUS 8, REMAINDER 5);
CREATE TABLE subscriptions_6 PARTITION OF subscriptions FOR VALUES WITH (MODULUS 8, REMAINDER 6);
CREATE TABLE subscriptions_7 PARTITION OF subscriptions FOR VALUES WITH (MODULUS 8, REMAINDER 7);

-- The check reads the streams and the other causes too, still from the index alone.
DROP INDEX addresses_check;
CREATE INDEX addresses_check ON addresses (tenant, address)
    INCLUDE (cause, reason, since, until, exempt_streams, streams, also) WHERE cause IS NOT NULL;

-- The last version that a tenant's addresses were given. Whoever gives one holds the row until it commits: so versions of
-- a tenant become visible in their order, and whoever has read up to one has all before it.
CREATE TABLE last_versions (
    tenant text COLLATE "C" PRIMARY KEY,
    version bigint NOT NULL
) WITH (fillfactor = 50);
