-- The rules that came later: counting, decay, expiry, once a day, streams; those that differ from the default.
ALTER TABLE settings ADD COLUMN rules jsonb NOT NULL DEFAULT '{}', ADD COLUMN note text NOT NULL DEFAULT '';

-- Every version that a tenant's settings had, so that the last change can be undone, and each block be understood.
CREATE TABLE settings_versions (
    tenant text COLLATE "C" NOT NULL,
    version integer NOT NULL,
    accepted_bounces integer NOT NULL,
    effects jsonb NOT NULL,
    rules jsonb NOT NULL,
    changed_at timestamptz NOT NULL,
    changed_by text NOT NULL,
    note text NOT NULL,
    PRIMARY KEY (tenant, version)
);

-- What is done to many addresses of a tenant in the background, and how far it has come. One row a change; a later change
-- of the settings ends an earlier one that is not done, since it looks at all addresses again.
CREATE TABLE jobs (
    id uuid PRIMARY KEY,
    tenant text COLLATE "C" NOT NULL,
    kind text NOT NULL,
    state text NOT NULL DEFAULT 'queued',
    parameters jsonb NOT NULL DEFAULT '{}',
    by text NOT NULL,
    note text NOT NULL DEFAULT '',
    requested_at timestamptz NOT NULL,
    finished_at timestamptz,
    after text COLLATE "C" NOT NULL DEFAULT '',
    total bigint,
    done bigint NOT NULL DEFAULT 0,
    blocked bigint NOT NULL DEFAULT 0,
    freed bigint NOT NULL DEFAULT 0,
    result jsonb NOT NULL DEFAULT '{}'
) WITH (fillfactor = 50);
CREATE INDEX jobs_newest ON jobs (tenant, requested_at, id);
CREATE INDEX jobs_open ON jobs (requested_at, id) WHERE finished_at IS NULL;
