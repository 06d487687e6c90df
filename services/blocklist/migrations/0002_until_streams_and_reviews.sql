-- Blocks may end by themselves and spare streams. `review` is when the standing changes by time alone: indexed where it
-- is set, which it is only for tenants whose counts decay or whose blocks expire.
ALTER TABLE addresses
    ADD COLUMN manual_until timestamptz,
    ADD COLUMN until timestamptz,
    ADD COLUMN spares text[] COLLATE "C",
    ADD COLUMN review timestamptz;
CREATE INDEX addresses_review ON addresses (review, tenant, address) WHERE review IS NOT NULL;

DROP INDEX addresses_check;
CREATE INDEX addresses_check ON addresses (tenant, address) INCLUDE (cause, reason, since, until, spares)
    WHERE cause IS NOT NULL;

ALTER TABLE history
    ADD COLUMN stream text COLLATE "C",
    ADD COLUMN ip text COLLATE "C";
-- Lines come in about the order of their time: a few pages of index find those of an hour.
CREATE INDEX history_time ON history USING brin (time) WITH (pages_per_range = 32, autosummarize = on);
