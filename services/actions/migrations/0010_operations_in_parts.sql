-- Operations with a preview, done part by part: the rows frozen at the preview, the parts that workers share.

ALTER TABLE operations DROP CONSTRAINT operations_state_check;
ALTER TABLE operations
    ADD COLUMN no bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    ADD COLUMN parameters jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN target jsonb NOT NULL DEFAULT '{}',          -- the filter, or how many were named: no addresses
    ADD COLUMN request_digest text COLLATE "C" NOT NULL DEFAULT '',  -- a repeated request has the same
    ADD COLUMN due_at timestamptz NOT NULL DEFAULT '-infinity',
    ADD COLUMN served_at timestamptz NOT NULL DEFAULT '-infinity',
    ADD COLUMN keep boolean NOT NULL DEFAULT false,         -- a cancelled one keeps what it did
    ADD COLUMN result jsonb NOT NULL DEFAULT '{}',          -- what it made: a selection, a file
    ADD COLUMN error text,
    ADD CHECK (state IN ('previewed', 'queued', 'running', 'cancelling', 'cancelled', 'finished', 'failed', 'undoing',
                         'undone'));
DROP INDEX operations_running;
CREATE INDEX operations_active ON operations (served_at) WHERE state IN ('queued', 'running', 'cancelling', 'undoing');

CREATE TABLE operation_rows (
    operation bigint NOT NULL,
    seq integer NOT NULL,
    address text COLLATE "C" NOT NULL,
    mailing text COLLATE "C",                               -- of an operation over recipients
    outcome text COLLATE "C" CHECK (outcome IN ('skipped', 'failed')),  -- else what became of its part
    why text COLLATE "C",
    PRIMARY KEY (operation, seq)
);
CREATE INDEX operation_rows_address ON operation_rows (address, operation);
CREATE INDEX operation_rows_outcome ON operation_rows (operation, seq) WHERE outcome IS NOT NULL;

CREATE TABLE operation_parts (
    operation bigint NOT NULL REFERENCES operations (no) ON DELETE CASCADE,
    part integer NOT NULL,
    first integer NOT NULL,
    last integer NOT NULL,
    todo integer NOT NULL,                                  -- rows that are not skipped from the start
    state text COLLATE "C" NOT NULL DEFAULT 'open'
        CHECK (state IN ('open', 'commanded', 'done', 'failed', 'undo_commanded', 'undone')),
    done integer NOT NULL DEFAULT 0,
    moved_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    awaited text COLLATE "C",                                -- id of the event that ends what was commanded
    PRIMARY KEY (operation, part)
) WITH (fillfactor = 70);
CREATE INDEX operation_parts_awaited ON operation_parts (awaited) WHERE awaited IS NOT NULL;

-- What was before, of what an operation changes and an undo puts back.
CREATE TABLE operation_undo_values (
    operation bigint NOT NULL,
    part integer NOT NULL,
    id text COLLATE "C" NOT NULL,                           -- of the contact or mailing
    address text COLLATE "C",
    value jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX operation_undo_values_part ON operation_undo_values (operation, part);
CREATE INDEX operation_undo_values_address ON operation_undo_values (address) WHERE address IS NOT NULL;

-- The files of exports, in pieces. A piece belongs to one run: what a run that died left behind is never served.
CREATE TABLE operation_files (
    operation bigint NOT NULL,
    run uuid NOT NULL,
    piece integer NOT NULL,
    bytes bytea NOT NULL,
    PRIMARY KEY (operation, run, piece)
);
ALTER TABLE operation_files ALTER COLUMN bytes SET STORAGE EXTERNAL;

ALTER TABLE audit ADD COLUMN target jsonb NOT NULL DEFAULT '{}';
