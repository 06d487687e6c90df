-- Erasures that wait for their time, where a tenant has it so; until then they can be undone. Nothing else knows of them.
CREATE TABLE waiting_erasures (
    tenant text COLLATE "C" NOT NULL,
    address text COLLATE "C" NOT NULL,
    time timestamptz NOT NULL,                      -- when it was asked for
    by text NOT NULL,
    due timestamptz NOT NULL,
    PRIMARY KEY (tenant, address)
);
CREATE INDEX waiting_erasures_due ON waiting_erasures (due);
CREATE INDEX waiting_erasures_page ON waiting_erasures (tenant, due, address);
