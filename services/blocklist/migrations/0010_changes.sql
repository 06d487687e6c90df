-- All that was ever blocked, in the order of its last change: snapshots for mirrors, and what changed since a moment.
CREATE INDEX addresses_changes ON addresses (tenant, version, address) INCLUDE (cause, reason) WHERE version > 0;
