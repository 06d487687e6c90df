-- What a dead letter says of itself, for the index; what became of it when it was replayed; notes on groups; the audit.

ALTER TABLE dead_letters
    ADD COLUMN number bigint GENERATED ALWAYS AS IDENTITY,       -- in the order of arrival: the cursor of lists
    ADD COLUMN error_type text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN event_type text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN event_id text COLLATE "C" NOT NULL DEFAULT '',    -- of a single event
    ADD COLUMN tenant text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN mailing text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN release text COLLATE "C" NOT NULL DEFAULT '',
    ADD COLUMN obstacle text COLLATE "C" NOT NULL DEFAULT '',    -- why it cannot be replayed
    ADD COLUMN headers jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN bytes integer NOT NULL GENERATED ALWAYS AS (octet_length(body)) STORED,
    ADD COLUMN first_failed_at timestamptz,                      -- of the first of those that it is linked to
    ADD COLUMN previous uuid,                                    -- the one that failed before, when that was replayed
    ADD COLUMN edited_from uuid,                                 -- the one that it was made of by an operator
    DROP CONSTRAINT dead_letters_state_check,
    ADD CONSTRAINT dead_letters_state_check
        CHECK (state IN ('dead', 'pending', 'processed', 'failed', 'replayed', 'discarded', 'edited')),
    ALTER COLUMN stack SET STORAGE EXTERNAL;
UPDATE dead_letters SET first_failed_at = failed_at, obstacle = CASE WHEN queue = '' THEN 'it never reached a queue' ELSE '' END;
-- Bodies and stacks lie outside, so that counting reads narrow rows: 100,000 are grouped in a tenth of a second.
ALTER TABLE dead_letters SET (toast_tuple_target = 512);
CREATE UNIQUE INDEX dead_letters_number ON dead_letters (number);
CREATE INDEX dead_letters_tenant ON dead_letters (tenant, number);
CREATE INDEX dead_letters_event ON dead_letters (event_id) WHERE event_id <> '';
CREATE INDEX dead_letters_mailing ON dead_letters (mailing) WHERE mailing <> '';
CREATE INDEX dead_letters_previous ON dead_letters (previous) WHERE previous IS NOT NULL;

ALTER TABLE jobs
    ADD COLUMN tenant text COLLATE "C",                          -- of the operator; none: of all tenants
    ADD COLUMN why text NOT NULL DEFAULT '',
    ADD COLUMN into_queue text COLLATE "C",                      -- none: each into the queue where it failed
    ADD COLUMN canary integer NOT NULL DEFAULT 0,
    ADD COLUMN slow_start boolean NOT NULL DEFAULT false,
    ADD COLUMN stop_after integer,                               -- how many may fail again; none: any number
    ADD COLUMN position bigint NOT NULL DEFAULT 0,               -- the last of its dead letters that it took
    ADD COLUMN parts integer NOT NULL DEFAULT 0,
    ADD COLUMN stage integer NOT NULL DEFAULT 0,                 -- of the slow start
    ADD COLUMN pending bigint NOT NULL DEFAULT 0,
    ADD COLUMN processed bigint NOT NULL DEFAULT 0,
    ADD COLUMN failed bigint NOT NULL DEFAULT 0,
    ADD COLUMN skipped bigint NOT NULL DEFAULT 0,                -- purged, or in another state by then
    ADD COLUMN next_at timestamptz NOT NULL DEFAULT '-infinity', -- when its next part is due
    DROP CONSTRAINT jobs_state_check,
    ADD CONSTRAINT jobs_state_check
        CHECK (state IN ('running', 'waiting', 'paused', 'stopped', 'finished', 'failed'));
DROP INDEX jobs_running;
CREATE INDEX jobs_running ON jobs (next_at) WHERE state = 'running';

CREATE TABLE job_dead_letters (                                  -- the set of a job, frozen when it began
    job uuid NOT NULL REFERENCES jobs ON DELETE CASCADE,
    position bigint NOT NULL,
    dead_letter uuid NOT NULL,
    part integer,
    digest text COLLATE "C",                                     -- SHA-256 of the bytes that were sent
    state text COLLATE "C" NOT NULL DEFAULT 'waiting'
        CHECK (state IN ('waiting', 'pending', 'processed', 'failed', 'replayed', 'skipped', 'unroutable', 'done')),
    PRIMARY KEY (job, position)
);
CREATE INDEX job_dead_letters_part ON job_dead_letters (job, part) WHERE part IS NOT NULL;
CREATE INDEX job_dead_letters_dead_letter ON job_dead_letters (dead_letter);

CREATE TABLE job_parts (                                         -- one message each
    job uuid NOT NULL REFERENCES jobs ON DELETE CASCADE,
    part integer NOT NULL,
    queue text COLLATE "C" NOT NULL,
    sent_at timestamptz,                                         -- confirmed; none: it is sent again after a crash
    outcome_at timestamptz,
    PRIMARY KEY (job, part)
);
CREATE INDEX job_parts_unsent ON job_parts (job) WHERE sent_at IS NULL;

CREATE TABLE group_notes (
    scope text COLLATE "C" NOT NULL,                             -- the tenant of the operators, or * of all tenants
    fingerprint text COLLATE "C" NOT NULL,
    status text COLLATE "C" NOT NULL CHECK (status IN ('new', 'known', 'being mended')),
    owner text NOT NULL,
    note text NOT NULL,
    changed_at timestamptz NOT NULL,
    changed_by text NOT NULL,
    PRIMARY KEY (scope, fingerprint)
);

CREATE TABLE audit (
    number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    who text NOT NULL,
    tenant text COLLATE "C",                                     -- of the operator; none: of all tenants
    action text COLLATE "C" NOT NULL,
    target text NOT NULL,
    why text NOT NULL,
    details jsonb NOT NULL DEFAULT '{}'
);
