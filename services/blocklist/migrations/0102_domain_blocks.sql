-- Blocks of whole domains: a row a block, so that it stays known who blocked what, and who lifted it. `domains` is the version
-- at which those of a tenant last changed, by which processes that keep them in memory know that theirs are old.
CREATE TABLE domain_blocks (
    tenant text COLLATE "C" NOT NULL,
    domain text COLLATE "C" NOT NULL,               -- example.com, or *.example.com
    since timestamptz NOT NULL,
    until timestamptz,
    by text COLLATE "C" NOT NULL,
    note text COLLATE "C" NOT NULL,
    lifted_at timestamptz,                          -- by a command, or when it ended
    lifted_by text COLLATE "C",
    lift_note text COLLATE "C",
    lift_cause text COLLATE "C",
    version bigint NOT NULL,                        -- of the last that became of it
    PRIMARY KEY (tenant, version, domain)
);
CREATE UNIQUE INDEX domain_blocks_in_force ON domain_blocks (tenant, domain) WHERE lifted_at IS NULL;
CREATE INDEX domain_blocks_of_domain ON domain_blocks (tenant, domain, since);
CREATE INDEX domain_blocks_ending ON domain_blocks (until) WHERE lifted_at IS NULL AND until IS NOT NULL;
ALTER TABLE last_versions ADD COLUMN domains bigint NOT NULL DEFAULT 0;
