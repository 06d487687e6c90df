-- Verdicts, retries and what settles them.

CREATE TABLE verdicts (
    id uuid PRIMARY KEY,                            -- of the bounce: a repeat is the same row
    tenant text COLLATE "C" NOT NULL,
    mailing text COLLATE "C" NOT NULL,
    type text COLLATE "C" NOT NULL,
    reason text COLLATE "C" NOT NULL,
    fault text COLLATE "C" NOT NULL,
    rule text COLLATE "C" NOT NULL,
    time timestamptz NOT NULL
);
CREATE INDEX verdicts_time ON verdicts USING brin (time);

-- One row for each recipient of a mailing that bounced softly. The key is a hash of tenant, mailing and address.
CREATE TABLE retries (
    recipient bytea PRIMARY KEY,
    tenant text COLLATE "C" NOT NULL,
    mailing text COLLATE "C" NOT NULL,
    address text COLLATE "C" NOT NULL,
    written text NOT NULL,                          -- the address as it was mailed
    sender text COLLATE "C" NOT NULL,
    cause uuid NOT NULL,                            -- the latest soft bounce
    reason text COLLATE "C" NOT NULL,
    times timestamptz[] NOT NULL,                   -- of the distinct soft bounces, ascending
    attempt integer NOT NULL DEFAULT 1,             -- the highest delivery attempt that was ever asked for
    state text COLLATE "C" NOT NULL,
    due timestamptz,
    requested_at timestamptz,
    CHECK (state IN ('waiting', 'requested', 'healed', 'failed', 'exhausted', 'dropped', 'lost'))
) WITH (fillfactor = 80);
CREATE INDEX retries_due ON retries (due) WHERE state = 'waiting';
CREATE INDEX retries_requested ON retries (requested_at) WHERE state = 'requested';
CREATE INDEX retries_address ON retries (tenant, address);

-- When a recipient of a mailing was last known to be delivered or to have failed for good: a soft bounce from before
-- that, however late it arrives, is not retried.
CREATE TABLE settled (
    recipient bytea PRIMARY KEY,
    time timestamptz NOT NULL,
    state text COLLATE "C" NOT NULL                 -- healed, failed
);
CREATE INDEX settled_time ON settled USING brin (time);

CREATE TABLE blocks (
    tenant text COLLATE "C" NOT NULL,
    address text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    blocked boolean NOT NULL,
    PRIMARY KEY (tenant, address)
);

CREATE TABLE outbox (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    exchange text NOT NULL,
    routing_key text NOT NULL,
    body bytea NOT NULL,
    content_type text NOT NULL,
    headers jsonb NOT NULL DEFAULT '{}',
    written_at timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);
