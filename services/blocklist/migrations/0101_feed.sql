-- The version at which a blocked address of a tenant was last erased: whoever has read the feed up to an earlier one takes
-- it anew, since nothing is left here that could tell which address it was.
ALTER TABLE last_versions ADD COLUMN erased bigint NOT NULL DEFAULT 0;
INSERT INTO last_versions (tenant, version)
SELECT tenant, max(version) FROM addresses WHERE version > 0 GROUP BY tenant ON CONFLICT (tenant) DO NOTHING;
