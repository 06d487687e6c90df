-- Retries of a paused mailing wait until it is resumed.

CREATE TABLE paused_mailings (
    tenant text COLLATE "C" NOT NULL,
    mailing text COLLATE "C" NOT NULL,
    time timestamptz NOT NULL,                      -- of the last command about it
    paused boolean NOT NULL,
    PRIMARY KEY (tenant, mailing)
);

ALTER TABLE retries
    ADD COLUMN paused_due timestamptz,              -- when it was due while its mailing was paused
    DROP CONSTRAINT retries_state_check,
    ADD CHECK (state IN ('waiting', 'requested', 'recovered', 'failed', 'exhausted', 'dropped', 'lost', 'paused'));
CREATE INDEX retries_paused ON retries (tenant, mailing) WHERE state = 'paused';
