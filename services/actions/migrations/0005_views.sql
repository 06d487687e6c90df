-- What is looked at in order: of all recipients only the time sent, of those that were returned the rest, of blocked
-- addresses what is theirs. Partial, so that the many that were delivered cost nothing more when they are written.

CREATE INDEX recipients_by_sent ON recipients (tenant, mailing, sent_at, address) WHERE sent_at IS NOT NULL;
CREATE INDEX recipients_by_returned ON recipients (tenant, mailing, returned_at, address) WHERE returned_at IS NOT NULL;
CREATE INDEX recipients_by_reason ON recipients (tenant, mailing, reason, address) WHERE returned_at IS NOT NULL;
CREATE INDEX recipients_by_code ON recipients (tenant, mailing, reply_code, address) WHERE returned_at IS NOT NULL;
CREATE INDEX recipients_by_type ON recipients (tenant, mailing, hard, address) WHERE returned_at IS NOT NULL;
CREATE INDEX recipients_opened ON recipients (tenant, mailing, address) WHERE status = 'opened';
CREATE INDEX recipients_complained ON recipients (tenant, complained_at, mailing, address)
    WHERE complained_at IS NOT NULL;
CREATE INDEX address_states_by_since ON address_states (tenant, since, address) WHERE blocked;
CREATE INDEX address_states_by_count ON address_states (tenant, return_count, address) WHERE blocked;
CREATE INDEX address_states_by_reason ON address_states (tenant, reason, address) WHERE blocked;
