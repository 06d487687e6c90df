-- Who may sign in to the console, and every token that was given out: sessions of users, and tokens for systems.

CREATE TABLE users (
    name text COLLATE "C" PRIMARY KEY,              -- in small letters; one name is one user, whatever the tenant
    tenant text COLLATE "C" NOT NULL,               -- '*': all
    home text COLLATE "C" NOT NULL,                 -- the tenant that the console shows first
    role text COLLATE "C" NOT NULL,
    password_hash text,                             -- argon2; none: signs in through OpenID Connect alone
    language text COLLATE "C",
    disabled boolean NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL,
    created_by text NOT NULL,
    failures integer NOT NULL DEFAULT 0,            -- wrong passwords since the last right one
    failed_at timestamptz
);
CREATE INDEX users_tenant ON users (tenant, name);

CREATE TABLE tokens (
    id uuid PRIMARY KEY,
    kind text COLLATE "C" NOT NULL CHECK (kind IN ('session', 'token')),
    tenant text COLLATE "C" NOT NULL,
    name text NOT NULL,                             -- the user, or the system that works with it
    scopes text[] NOT NULL,
    issued_by text NOT NULL,
    issued_at timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz,
    revoked_by text
);
CREATE INDEX tokens_tenant ON tokens (tenant, issued_at DESC, id);
