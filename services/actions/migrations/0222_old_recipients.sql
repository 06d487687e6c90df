-- Recipients of old mailings are removed; their statistics stay as they are.
ALTER TABLE mailings
    ADD COLUMN recipients_removed_at timestamptz,           -- null: they are kept
    ADD COLUMN recipients_left boolean NOT NULL DEFAULT false;  -- some may be left to remove, or have come since
CREATE INDEX mailings_recipients_left ON mailings (tenant, mailing) WHERE recipients_left;
