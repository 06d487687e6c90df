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
INSERT INTO settings_versions SELECT tenant, version, accepted_bounces, effects, rules, changed_at, changed_by, note
FROM settings;

-- What is done to many addresses of a tenant in the background, and how far it has come. One row a change; a later change
-- of the settings ends an earlier one that is not done, since it looks at all addresses again.
CREATE TABLE operations (
    id uuid PRIMARY KEY,
    tenant text COLLATE "C" NOT NULL,
    kind text NOT NULL,
    state text NOT NULL DEFAULT 'queued',
    what jsonb NOT NULL DEFAULT '{}',
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
CREATE INDEX operations_newest ON operations (tenant, requested_at, id);
CREATE INDEX operations_open ON operations (requested_at, id) WHERE finished_at IS NULL;
INSERT INTO operations (id, tenant, kind, by, requested_at)
SELECT gen_random_uuid(), tenant, 'settings', by, started_at FROM reassessments WHERE finished_at IS NULL;
-- `reassessments` is no longer read; it stays until no process of the version before can run any more.
