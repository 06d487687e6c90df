-- Storms: what suddenly made most bounces of a tenant, from when on, and what is done with its bounces.
CREATE TABLE storms (
    id uuid PRIMARY KEY,
    tenant text COLLATE "C" NOT NULL,
    kind text NOT NULL,
    value text COLLATE "C" NOT NULL,
    begun timestamptz NOT NULL,
    suspended_from timestamptz NOT NULL,
    seen_at timestamptz NOT NULL,
    ended timestamptz,
    bounces integer NOT NULL,
    of_bounces integer NOT NULL,
    state text NOT NULL DEFAULT 'held',
    judged_at timestamptz,
    judged_by text,
    note text NOT NULL DEFAULT ''
);
CREATE INDEX storms_newest ON storms (tenant, begun, id);
CREATE UNIQUE INDEX storms_open ON storms (tenant, kind, value) WHERE ended IS NULL;
