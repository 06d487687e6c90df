-- A million blocked addresses are sorted by mailing and by cause, and narrowed to a receiving domain.
CREATE INDEX address_states_by_mailing ON address_states (tenant, mailing, address) WHERE blocked;
CREATE INDEX address_states_by_cause ON address_states (tenant, cause, address) WHERE blocked;
CREATE INDEX address_states_by_domain ON address_states (tenant, split_part(address, '@', -1), address) WHERE blocked;
