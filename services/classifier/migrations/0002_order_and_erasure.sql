-- What is pending has a time; what was erased is remembered without the address.

DROP INDEX retries_due;
CREATE INDEX retries_due ON retries (due) WHERE due IS NOT NULL;

-- A hash that an erased address leaves behind, so that what happened before the erasure, however late it arrives, does
-- not bring the address back.
CREATE FUNCTION place(tenant text, address text) RETURNS bytea LANGUAGE sql STABLE
RETURN substring(sha256(convert_to(tenant || E'\x1f' || address, 'UTF8')) FROM 1 FOR 16);

CREATE TABLE erased (
    place bytea PRIMARY KEY,
    time timestamptz NOT NULL
);
CREATE INDEX erased_time ON erased USING brin (time);
