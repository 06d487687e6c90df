-- An operation over what a search found keeps the search; one for an address is found when the address is erased.
CREATE INDEX operations_searches ON operations (tenant) WHERE target #>> '{filter,q}' LIKE '%@%';
CREATE INDEX audit_searches ON audit (tenant) WHERE target #>> '{filter,q}' LIKE '%@%';
