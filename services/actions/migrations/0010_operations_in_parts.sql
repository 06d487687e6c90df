-- Operations with a preview, done part by part: the set frozen when it is chosen, the parts that workers share.

ALTER TABLE operations DROP CONSTRAINT operations_state_check;
ALTER TABLE operations
    ADD COLUMN no bigint GENERATED ALWAYS AS IDENTITY UNIQUE,
    ADD COLUMN parameters jsonb NOT NULL DEFAULT '{}',
    ADD COLUMN chosen jsonb NOT NULL DEFAULT '{}',          -- the filter, or how many were ticked: no addresses
    ADD COLUMN asked text COLLATE "C" NOT NULL DEFAULT '',  -- digest of the request: a repeat asks for the same
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
        CHECK (state IN ('open', 'given', 'done', 'failed', 'taken_back', 'undone')),
    done integer NOT NULL DEFAULT 0,
    moved_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    answer text COLLATE "C",                                -- id of the event that ends what was commanded
    PRIMARY KEY (operation, part)
) WITH (fillfactor = 70);
CREATE INDEX operation_parts_answer ON operation_parts (answer) WHERE answer IS NOT NULL;

-- What was before, of what an operation changes and an undo puts back.
CREATE TABLE operation_before (
    operation bigint NOT NULL,
    part integer NOT NULL,
    id text COLLATE "C" NOT NULL,                           -- of the contact or mailing
    address text COLLATE "C",
    value jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX operation_before_part ON operation_before (operation, part);
CREATE INDEX operation_before_address ON operation_before (address) WHERE address IS NOT NULL;

-- The files of exports, in pieces. A piece belongs to one run: what a run that died left behind is never served.
CREATE TABLE operation_files (
    operation bigint NOT NULL,
    run uuid NOT NULL,
    piece integer NOT NULL,
    bytes bytea NOT NULL,
    PRIMARY KEY (operation, run, piece)
);
ALTER TABLE operation_files ALTER COLUMN bytes SET STORAGE EXTERNAL;

-- Operations of the version before go on as one part each, of which the command is given again.
INSERT INTO operation_rows (operation, seq, address)
SELECT o.no, row_number() OVER (PARTITION BY o.no ORDER BY i.address) - 1, i.address
FROM operation_items AS i JOIN operations AS o USING (tenant, operation_id);
INSERT INTO operation_parts (operation, part, first, last, todo, state, done)
SELECT r.operation, seq / 1000, min(seq), max(seq), count(*), CASE WHEN o.state = 'running' THEN 'open' ELSE 'done' END,
       CASE WHEN o.state = 'running' THEN 0 ELSE count(*) END
FROM operation_rows AS r JOIN operations AS o ON o.no = r.operation GROUP BY r.operation, seq / 1000, o.state;
DELETE FROM operation_items;

ALTER TABLE audit ADD COLUMN chosen jsonb NOT NULL DEFAULT '{}';
