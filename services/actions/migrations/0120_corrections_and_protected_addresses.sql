-- Which address became which: an address that was corrected says so, and so does the one that replaced it.
CREATE TABLE address_corrections (
    tenant text COLLATE "C" NOT NULL,
    contact text COLLATE "C" NOT NULL,
    old text COLLATE "C" NOT NULL,
    operation bigint NOT NULL,
    new text COLLATE "C" NOT NULL,
    old_written text NOT NULL,
    new_written text NOT NULL,
    time timestamptz NOT NULL,
    by text NOT NULL,
    note text NOT NULL,
    PRIMARY KEY (tenant, contact, old, operation)
);
CREATE INDEX address_corrections_old ON address_corrections (tenant, old);
CREATE INDEX address_corrections_new ON address_corrections (tenant, new);
CREATE INDEX address_corrections_operation ON address_corrections (operation);
-- Who complained, unsubscribed or has left is few among many: found at once when a bounce-flag is cleared for many.
CREATE INDEX recipients_unsubscribed ON recipients (tenant, address) WHERE unsubscribed_at IS NOT NULL;
CREATE INDEX owners_former ON owners (tenant, address) WHERE former_employee;
