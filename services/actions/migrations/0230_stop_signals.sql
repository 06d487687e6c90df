-- When a mailing has too many bounces, complaints or refusals it is paused.

ALTER TABLE statistics_due DROP CONSTRAINT statistics_due_counted_check;
ALTER TABLE statistics_due ADD CHECK (counted IN ('mailing', 'blocks', 'signals'));

-- What became of each mailing by minute: it stays when the recipients are removed, for trying out other thresholds.
CREATE TABLE mailing_minutes (
    tenant text COLLATE "C" NOT NULL,
    mailing text COLLATE "C" NOT NULL,
    minute timestamptz NOT NULL,
    sent integer NOT NULL,
    returned integer NOT NULL,
    hard_bounces integer NOT NULL,                          -- of dead addresses, outside of storms
    complaints integer NOT NULL,
    sender_faults integer NOT NULL,
    PRIMARY KEY (tenant, mailing, minute)
);

CREATE TABLE mailing_breaches (
    tenant text COLLATE "C" NOT NULL,
    mailing text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,
    level text COLLATE "C" NOT NULL,
    time timestamptz NOT NULL,                              -- of the mailing's own time
    count integer NOT NULL,
    of_results integer NOT NULL,
    threshold double precision NOT NULL,
    noticed_at timestamptz NOT NULL,
    PRIMARY KEY (tenant, mailing, kind, level)
);

CREATE TABLE mailing_pauses (
    tenant text COLLATE "C" NOT NULL,
    mailing text COLLATE "C" NOT NULL,
    paused boolean NOT NULL,
    since timestamptz NOT NULL,
    by text NOT NULL,
    why text NOT NULL,
    kind text COLLATE "C",                                  -- of the breach; null: a person did it
    PRIMARY KEY (tenant, mailing)
);
CREATE INDEX mailing_pauses_paused ON mailing_pauses (tenant, since, mailing) WHERE paused;

CREATE TABLE stop_signal_settings (
    tenant text COLLATE "C" PRIMARY KEY,
    version integer NOT NULL,
    thresholds jsonb NOT NULL,
    changed_at timestamptz NOT NULL,
    changed_by text NOT NULL,
    note text NOT NULL
);

-- What the blocklist says of storms: bounces of such a domain say nothing of the list of addresses.
CREATE TABLE storms (
    tenant text COLLATE "C" NOT NULL,
    storm text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,
    value text COLLATE "C" NOT NULL,
    begun timestamptz NOT NULL,
    ended timestamptz,
    PRIMARY KEY (tenant, storm)
);
CREATE INDEX storms_of_domain ON storms (tenant, value) WHERE kind = 'domain';

INSERT INTO statistics_due (tenant, counted, name) SELECT tenant, 'signals', mailing FROM mailings;
