-- Webhooks to CRMs: where each reads the stream of blocks, and what was posted to it. Bodies stay in the stream: no address
-- is kept here. `start_at` holds until the first message was read, `last_offset` from then on.
CREATE TABLE webhooks (
    id uuid PRIMARY KEY,
    tenant text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    url text NOT NULL,
    version integer NOT NULL DEFAULT 1,
    generation integer NOT NULL DEFAULT 1,          -- rises when whoever posts must begin anew
    enabled boolean NOT NULL DEFAULT true,
    disabled_why text,
    secret text NOT NULL,
    old_secret text,
    old_secret_until timestamptz,
    start_at timestamptz NOT NULL,
    last_offset bigint,
    created_at timestamptz NOT NULL,
    created_by text NOT NULL,
    changed_at timestamptz NOT NULL,
    changed_by text NOT NULL,
    leased_by uuid,                                 -- the process that posts, for so long
    leased_until timestamptz,
    UNIQUE (tenant, name)
) WITH (fillfactor = 50);

CREATE TABLE webhook_deliveries (
    webhook uuid NOT NULL REFERENCES webhooks ON DELETE CASCADE,
    id text COLLATE "C" NOT NULL,                   -- the receiver's webhook-id
    first_offset bigint NOT NULL,
    last_offset bigint NOT NULL,
    events integer NOT NULL,
    state text NOT NULL DEFAULT 'open',
    formed_at timestamptz NOT NULL,
    due_at timestamptz NOT NULL,
    done_at timestamptz,
    attempts integer NOT NULL DEFAULT 0,
    status integer,
    problem text NOT NULL DEFAULT '',
    tries jsonb NOT NULL DEFAULT '[]',              -- time, status, milliseconds and problem of each
    PRIMARY KEY (webhook, id)
) WITH (fillfactor = 70);
CREATE INDEX webhook_deliveries_newest ON webhook_deliveries (webhook, formed_at, id);
CREATE INDEX webhook_deliveries_open ON webhook_deliveries (webhook, first_offset) WHERE state = 'open';
