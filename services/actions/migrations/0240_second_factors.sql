-- The second factor of users who have one: codes of an app that shows them (RFC 6238), and codes for the day it is lost.

CREATE TABLE second_factors (
    name text COLLATE "C" PRIMARY KEY REFERENCES users (name) ON DELETE CASCADE,
    secret bytea NOT NULL,                          -- encrypted by the keys that sign tokens
    confirmed_at timestamptz,                       -- none: being set up, and not asked for
    last_step bigint NOT NULL DEFAULT 0             -- half a minute of the last code that was taken: none is taken twice
);

CREATE TABLE recovery_codes (
    name text COLLATE "C" NOT NULL REFERENCES second_factors (name) ON DELETE CASCADE,
    hash bytea NOT NULL,                            -- SHA-256 of the user and the code, which is random in 80 bits
    PRIMARY KEY (name, hash)
);
