-- Verdicts, texts that no rule knows, retries and what ends them.

CREATE TABLE verdicts (
    id uuid PRIMARY KEY,                            -- of the bounce: a repeat is the same row
    tenant text COLLATE "C" NOT NULL,
    mailing text COLLATE "C" NOT NULL,
    type text COLLATE "C" NOT NULL,
    reason text COLLATE "C" NOT NULL,
    fault text COLLATE "C" NOT NULL,
    rule text COLLATE "C" NOT NULL,
    time timestamptz NOT NULL,
    fingerprint bytea                               -- of the text, when no rule knows it
);
CREATE INDEX verdicts_time ON verdicts USING brin (time);
CREATE INDEX verdicts_fingerprint ON verdicts (tenant, fingerprint, time) WHERE fingerprint IS NOT NULL;

-- Texts that no rule knows, with addresses, hosts and numbers taken out: many bounces share one.
CREATE TABLE unknown_texts (
    tenant text COLLATE "C" NOT NULL,
    fingerprint bytea NOT NULL,                     -- half the SHA-256 of the text
    text text NOT NULL,
    seen date NOT NULL,
    PRIMARY KEY (tenant, fingerprint)
);

-- One row for each recipient of a mailing that bounced softly. The key is a hash of tenant, mailing and address.
CREATE TABLE retries (
    recipient bytea PRIMARY KEY,
    tenant text COLLATE "C" NOT NULL,
    mailing text COLLATE "C" NOT NULL,
    address text COLLATE "C" NOT NULL,
    domain text COLLATE "C" GENERATED ALWAYS AS (substring(address FROM '[^@]*$')) STORED,
    written text NOT NULL,                          -- the address as it was mailed
    sender text COLLATE "C" NOT NULL,
    contact text COLLATE "C",
    cause uuid NOT NULL,                            -- the latest soft bounce
    reason text COLLATE "C" NOT NULL,
    times timestamptz[] NOT NULL,                   -- of the distinct soft bounces, ascending
    attempt integer NOT NULL DEFAULT 1,             -- the highest delivery attempt that was ever requested
    state text COLLATE "C" NOT NULL,
    due timestamptz,
    kept_due timestamptz,                           -- when it was due before an operator dropped it
    requested_at timestamptz,
    CHECK (state IN ('waiting', 'requested', 'recovered', 'failed', 'exhausted', 'dropped', 'lost'))
) WITH (fillfactor = 80);
CREATE INDEX retries_due ON retries (due) WHERE due IS NOT NULL;
CREATE INDEX retries_requested ON retries (requested_at) WHERE state = 'requested';
CREATE INDEX retries_address ON retries (tenant, address);
CREATE INDEX retries_dropped ON retries (tenant) WHERE kept_due IS NOT NULL;

-- When a recipient of a mailing was last known to be delivered or to have failed for good: a soft bounce from before
-- that, however late it arrives, is not retried.
CREATE TABLE outcomes (
    recipient bytea PRIMARY KEY,
    time timestamptz NOT NULL,
    state text COLLATE "C" NOT NULL                 -- recovered, failed
);
CREATE INDEX outcomes_time ON outcomes USING brin (time);

CREATE TABLE blocks (
    tenant text COLLATE "C" NOT NULL,
    address text COLLATE "C" NOT NULL,
    version bigint NOT NULL,
    blocked boolean NOT NULL,
    PRIMARY KEY (tenant, address)
);

-- Retry commands issued per receiving domain and minute.
CREATE TABLE domain_sends (
    tenant text COLLATE "C" NOT NULL,
    domain text COLLATE "C" NOT NULL,
    minute timestamptz NOT NULL,
    issued integer NOT NULL,
    PRIMARY KEY (tenant, domain, minute)
);

-- The schedule of a tenant; without a row, the service's defaults.
CREATE TABLE retry_schedules (
    tenant text COLLATE "C" PRIMARY KEY,
    version integer NOT NULL,
    schedule jsonb NOT NULL,                        -- delays, by_reason in seconds; domain_limit
    changed_at timestamptz NOT NULL,
    changed_by text NOT NULL
);

-- What operators did with pending retries.
CREATE TABLE retry_actions (
    id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant text COLLATE "C" NOT NULL,
    time timestamptz NOT NULL,
    actor text NOT NULL,
    action text COLLATE "C" NOT NULL,
    selection jsonb NOT NULL,
    retries integer NOT NULL
);
CREATE INDEX retry_actions_tenant ON retry_actions (tenant, id);
