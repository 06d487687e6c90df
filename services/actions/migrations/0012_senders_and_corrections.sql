-- Which system sent a mailing: it is asked to send again.
CREATE TABLE mailing_senders (
    tenant text COLLATE "C" NOT NULL,
    mailing text COLLATE "C" NOT NULL,
    sender text COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant, mailing)
);

-- The new address of a correction is found when it is erased.
CREATE INDEX operations_corrections ON operations (tenant, lower(parameters ->> 'new')) WHERE operation = 'correct_address';
