-- Small mailings are judged with all mailings of the tenant.

ALTER TABLE mailing_breaches ADD COLUMN scope text COLLATE "C" NOT NULL DEFAULT 'mailing';
CREATE INDEX mailing_minutes_by_time ON mailing_minutes (tenant, minute);
