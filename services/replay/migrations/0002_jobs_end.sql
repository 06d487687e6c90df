-- What a job may take is what was there when it began: what fails again by being replayed comes back as a new letter.

ALTER TABLE dead_letters ADD COLUMN kept_at timestamptz NOT NULL DEFAULT clock_timestamp();
ALTER TABLE jobs ADD COLUMN begun_at timestamptz NOT NULL DEFAULT clock_timestamp();
ALTER TABLE jobs ADD COLUMN missing text[] NOT NULL DEFAULT '{}';  -- queues that letters came from and that are gone
