-- Channels to people, what they were told of, and what became of each message. Facts of an alert hold no address unless
-- the installation's setting allows it, and no token ever. The URL of a channel is a secret: who knows it can post there.
CREATE TABLE channels (
    id uuid PRIMARY KEY,
    tenant text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,
    recipients text[] NOT NULL DEFAULT '{}',
    url text NOT NULL DEFAULT '',
    secret text NOT NULL DEFAULT '',
    language text NOT NULL,
    severity text NOT NULL,                         -- the least that goes there
    causes text[] NOT NULL DEFAULT '{}',            -- none: all
    tenants text[] NOT NULL DEFAULT '{}',           -- of a channel of the platform; none: all
    digest text NOT NULL,
    digest_at time NOT NULL,
    quiet_from time,
    quiet_to time,
    zone text NOT NULL,
    hold_critical boolean NOT NULL DEFAULT false,
    enabled boolean NOT NULL DEFAULT true,
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    created_by text NOT NULL,
    changed_at timestamptz NOT NULL,
    changed_by text NOT NULL,
    UNIQUE (tenant, name)
);

CREATE TABLE alerts (
    id text COLLATE "C" PRIMARY KEY,                -- of the cause: what is said again is the same row
    tenant text COLLATE "C" NOT NULL,
    kind text COLLATE "C" NOT NULL,
    severity text COLLATE "C" NOT NULL,
    facts jsonb NOT NULL,
    occurred_at timestamptz NOT NULL,
    raised_at timestamptz NOT NULL
);
CREATE INDEX alerts_newest ON alerts (tenant, raised_at DESC, id);
CREATE INDEX alerts_old ON alerts (raised_at);

CREATE TABLE messages (
    id text COLLATE "C" PRIMARY KEY,                -- the receiver's webhook-id, or the Message-ID of an e-mail
    channel uuid NOT NULL REFERENCES channels ON DELETE CASCADE,
    state text COLLATE "C" NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'sent', 'failed')),
    alerts integer NOT NULL,
    formed_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    leased_until timestamptz,                       -- so long another process tries it
    done_at timestamptz,
    attempts integer NOT NULL DEFAULT 0,
    problem text NOT NULL DEFAULT ''
);
CREATE INDEX messages_open ON messages (due_at) WHERE state = 'open';
CREATE INDEX messages_of_channel ON messages (channel, formed_at DESC, id);

CREATE TABLE channel_alerts (
    channel uuid NOT NULL REFERENCES channels ON DELETE CASCADE,
    alert text COLLATE "C" NOT NULL REFERENCES alerts ON DELETE CASCADE,
    due_at timestamptz NOT NULL,
    message text COLLATE "C" REFERENCES messages ON DELETE CASCADE,
    PRIMARY KEY (channel, alert)
);
CREATE INDEX channel_alerts_waiting ON channel_alerts (channel, due_at) WHERE message IS NULL;
CREATE INDEX channel_alerts_of_message ON channel_alerts (message) WHERE message IS NOT NULL;
