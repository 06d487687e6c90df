-- What became of each mailing by day, reason and receiving domain, counted set by set behind the pipeline.

-- What has changed since it was counted: written once a batch, not once a row.
CREATE TABLE statistics_due (
    tenant text COLLATE "C" NOT NULL,
    counted text COLLATE "C" NOT NULL CHECK (counted IN ('mailing', 'blocks')),
    name text COLLATE "C" NOT NULL,                         -- the mailing, or the day of the blocks
    PRIMARY KEY (tenant, counted, name)
);

CREATE TABLE statistics_runs (
    tenant text COLLATE "C" NOT NULL,
    counted text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    counted_at timestamptz NOT NULL DEFAULT '-infinity',
    took double precision NOT NULL DEFAULT 0,               -- seconds
    horizon xid8,                                           -- counted when all transactions before this have ended; 0: not known
    PRIMARY KEY (tenant, counted, name)
) WITH (fillfactor = 80);
CREATE INDEX statistics_runs_waiting ON statistics_runs (counted_at) WHERE horizon IS NOT NULL;

CREATE TABLE statistics (
    tenant text COLLATE "C" NOT NULL,
    mailing text COLLATE "C" NOT NULL,
    split text COLLATE "C" NOT NULL CHECK (split IN ('day', 'reason', 'domain')),
    value text COLLATE "C" NOT NULL,                        -- the reason, or the domain; '': all others
    day date NOT NULL,                                      -- on which it happened, in UTC
    sent integer NOT NULL,
    delivered integer NOT NULL,
    hard integer NOT NULL,
    soft integer NOT NULL,
    complained integer NOT NULL,
    opened integer NOT NULL,
    unsubscribed integer NOT NULL,
    recovered integer NOT NULL,                                -- returned, and delivered after all
    PRIMARY KEY (tenant, mailing, split, value, day)
);
CREATE INDEX statistics_by_day ON statistics (tenant, split, day);

CREATE TABLE statistics_blocks (
    tenant text COLLATE "C" NOT NULL,
    day date NOT NULL,
    cause text COLLATE "C" NOT NULL,
    blocked integer NOT NULL,
    lifted integer NOT NULL,
    PRIMARY KEY (tenant, day, cause)
);

INSERT INTO statistics_due (tenant, counted, name) SELECT tenant, 'mailing', mailing FROM mailings;
INSERT INTO statistics_due (tenant, counted, name)
SELECT DISTINCT tenant, 'blocks', (time AT TIME ZONE 'UTC')::date::text FROM address_events;
