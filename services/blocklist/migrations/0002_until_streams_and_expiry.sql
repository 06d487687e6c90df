-- Blocks may end by themselves and exempt streams. `changes_at` is when the state changes by time alone: indexed where it
-- is set, which it is only for tenants whose counts decay or whose blocks expire.
ALTER TABLE addresses
    ADD COLUMN manual_until timestamptz,
    ADD COLUMN until timestamptz,
    ADD COLUMN exempt_streams text[] COLLATE "C",
    ADD COLUMN changes_at timestamptz;
CREATE INDEX addresses_changes_at ON addresses (changes_at, tenant, address) WHERE changes_at IS NOT NULL;

DROP INDEX addresses_check;
CREATE INDEX addresses_check ON addresses (tenant, address) INCLUDE (cause, reason, since, until, exempt_streams)
    WHERE cause IS NOT NULL;

ALTER TABLE history
    ADD COLUMN stream text COLLATE "C",
    ADD COLUMN ip text COLLATE "C";
-- Lines come in about the order of their time: a few pages of index find those of an hour.
CREATE INDEX history_time ON history USING brin (time) WITH (pages_per_range = 32, autosummarize = on);
