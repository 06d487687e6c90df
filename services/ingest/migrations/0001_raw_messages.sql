-- What arrived, as it arrived, for a set time: who asks why an address was returned can read it.

CREATE TABLE raw_messages (
    id uuid PRIMARY KEY,                            -- of its bytes: what arrives again is the same row
    tenant text COLLATE "C" NOT NULL,
    received_at timestamptz NOT NULL,
    source text COLLATE "C" NOT NULL,              -- a way in for mails, or the name of a provider
    outcome text COLLATE "C" NOT NULL,
    problem text NOT NULL,
    content_type text NOT NULL,
    size integer NOT NULL,                          -- bytes as they arrived
    stored integer NOT NULL,                        -- bytes as they are kept
    body bytea NOT NULL                             -- deflated
);
ALTER TABLE raw_messages ALTER COLUMN body SET STORAGE EXTERNAL;
CREATE INDEX raw_messages_age ON raw_messages (received_at, id) INCLUDE (stored);
CREATE INDEX raw_messages_of_tenant ON raw_messages (tenant, received_at, id);
CREATE INDEX raw_messages_unread ON raw_messages (tenant, outcome, received_at, id) WHERE outcome <> 'read';

CREATE TABLE raw_message_mentions (
    event uuid NOT NULL,                            -- of an event that was made of the message, here or of one of those
    message uuid NOT NULL REFERENCES raw_messages ON DELETE CASCADE,
    tenant text COLLATE "C" NOT NULL,
    address text COLLATE "C" NOT NULL,              -- its key
    mailing text COLLATE "C" NOT NULL,
    PRIMARY KEY (event, message)
);
CREATE INDEX raw_message_mentions_message ON raw_message_mentions (message);
CREATE INDEX raw_message_mentions_address ON raw_message_mentions (tenant, address, mailing);
