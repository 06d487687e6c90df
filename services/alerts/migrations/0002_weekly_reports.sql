-- Which channels have the weekly report.
ALTER TABLE channels ADD COLUMN weekly_report boolean NOT NULL DEFAULT false;
