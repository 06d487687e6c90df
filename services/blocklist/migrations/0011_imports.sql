-- Lists that were handed in, to be worked off a part at a time: what is left of one after a crash goes on by itself.
CREATE TABLE imports (
    id uuid PRIMARY KEY,
    tenant text COLLATE "C" NOT NULL,
    idempotency_key text COLLATE "C",
    action text COLLATE "C" NOT NULL,
    dry_run boolean NOT NULL,
    state text COLLATE "C" NOT NULL DEFAULT 'uploading',
    by text NOT NULL,
    note text NOT NULL,
    begun_at timestamptz NOT NULL,
    received_at timestamptz,
    finished_at timestamptz,
    total bigint NOT NULL DEFAULT 0,
    done bigint NOT NULL DEFAULT 0,
    outcomes jsonb NOT NULL DEFAULT '{}',
    UNIQUE (tenant, idempotency_key)
) WITH (fillfactor = 50);
CREATE INDEX imports_newest ON imports (tenant, begun_at, id);
CREATE INDEX imports_waiting ON imports (received_at, id) WHERE state = 'running';

-- Rows in their order. The addresses go when the part is done; what stays are numbers of rows and what became of them.
CREATE TABLE import_parts (
    import uuid NOT NULL REFERENCES imports ON DELETE CASCADE,
    n integer NOT NULL,
    entries bytea,                                  -- zlib over JSON
    report bytea,                                   -- zlib over lines of JSON
    PRIMARY KEY (import, n)
);
