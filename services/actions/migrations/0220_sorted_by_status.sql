-- Recipients are sorted by status: first those of whom there is something to see. Partial, so that the many that were
-- delivered cost nothing more when they are written; it serves who opened too. People are found by domain.
CREATE INDEX recipients_by_status ON recipients (tenant, mailing, status, address)
    WHERE status NOT IN ('ready', 'sent', 'delivered');
DROP INDEX recipients_opened;
CREATE INDEX contact_addresses_by_domain ON contact_addresses (tenant, split_part(address, '@', -1), contact);
