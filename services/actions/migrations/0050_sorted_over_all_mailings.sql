-- What was returned in all mailings is sorted by what is the mailing's; it is narrowed to a receiving domain, and to those
-- that are not sent yet. Members are found by their list when an operation is undone.
CREATE INDEX recipients_all_by_address ON recipients (tenant, address, mailing) WHERE returned_at IS NOT NULL;
CREATE INDEX recipients_all_by_sent ON recipients (tenant, sent_at, mailing, address)
    WHERE returned_at IS NOT NULL OR complained_at IS NOT NULL;
CREATE INDEX recipients_all_by_reason ON recipients (tenant, reason, mailing, address) WHERE returned_at IS NOT NULL;
CREATE INDEX recipients_all_by_code ON recipients (tenant, reply_code, mailing, address) WHERE returned_at IS NOT NULL;
CREATE INDEX recipients_all_by_type ON recipients (tenant, hard, mailing, address) WHERE returned_at IS NOT NULL;
CREATE INDEX recipients_ready ON recipients (tenant, mailing, address) WHERE status = 'ready';
CREATE INDEX recipients_by_domain ON recipients (tenant, mailing, split_part(address, '@', -1));
DROP INDEX list_members_operation;
