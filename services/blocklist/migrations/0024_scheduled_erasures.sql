-- Erasures that are due later, where a tenant has it so; until then they can be undone. Nothing else knows of them.
CREATE TABLE scheduled_erasures (
    tenant text COLLATE "C" NOT NULL,
    address text COLLATE "C" NOT NULL,
    time timestamptz NOT NULL,                      -- when it was asked for
    by text NOT NULL,
    due timestamptz NOT NULL,
    PRIMARY KEY (tenant, address)
);
CREATE INDEX scheduled_erasures_due ON scheduled_erasures (due);
CREATE INDEX scheduled_erasures_page ON scheduled_erasures (tenant, due, address);
