-- Proofs of who one is, by whom they are offered: the name (known or not), and the address that they come from.

CREATE TABLE sign_in_attempts (
    subject bytea PRIMARY KEY,                      -- SHA-256: what strangers type may be anything, a password too
    failures integer NOT NULL,                      -- since the last right one; one that is being checked is one
    failed_at timestamptz NOT NULL
);
CREATE INDEX sign_in_attempts_failed_at ON sign_in_attempts (failed_at);
