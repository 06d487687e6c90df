-- Addresses whose owners have all left, as far as the blocklist was told of it: what differs from the contacts is told.
CREATE TABLE former_addresses (
    tenant text COLLATE "C" NOT NULL,
    address text COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant, address)
);
