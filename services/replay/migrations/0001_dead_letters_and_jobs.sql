-- Dead letters, and the jobs that replay or discard them. A job takes what was there when it began: what fails again by
-- being replayed comes back as a new dead letter.

CREATE TABLE dead_letters (
    id uuid PRIMARY KEY,                            -- of what the letter says: a redelivery is the same row
    failed_at timestamptz NOT NULL,
    queue text COLLATE "C" NOT NULL,                -- where it failed; empty when it never reached one
    exchange text COLLATE "C" NOT NULL,
    routing_key text COLLATE "C" NOT NULL,
    attempt integer NOT NULL,
    error text NOT NULL,
    stack text NOT NULL,
    fingerprint text COLLATE "C" NOT NULL,
    content_type text NOT NULL,
    body bytea NOT NULL,
    state text COLLATE "C" NOT NULL DEFAULT 'dead' CHECK (state IN ('dead', 'replayed', 'discarded')),
    kept_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    changed_at timestamptz,
    changed_by text
);
ALTER TABLE dead_letters ALTER COLUMN body SET STORAGE EXTERNAL;
CREATE INDEX dead_letters_groups ON dead_letters (state, fingerprint, failed_at);
CREATE INDEX dead_letters_failed ON dead_letters (failed_at);

CREATE TABLE jobs (
    id uuid PRIMARY KEY,
    kind text COLLATE "C" NOT NULL CHECK (kind IN ('replay', 'discard', 'restore', 'archive')),
    selection jsonb NOT NULL,
    requested_by text NOT NULL,
    requested_at timestamptz NOT NULL,
    rate integer NOT NULL,                          -- messages a second; 0: as fast as it goes
    state text COLLATE "C" NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'stopped', 'finished', 'failed')),
    total bigint NOT NULL,
    done bigint NOT NULL DEFAULT 0,
    next_offset bigint,                             -- of an archive job: where it continues
    error text,
    missing text[] NOT NULL DEFAULT '{}',           -- queues that dead letters came from and that are gone
    begun_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    ended_at timestamptz
);
CREATE INDEX jobs_running ON jobs (requested_at) WHERE state = 'running';
