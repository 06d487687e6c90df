-- Messages of a replay of the archive that nobody has reported yet: as many as are in the target's hands.
ALTER TABLE job_parts ADD COLUMN events integer NOT NULL DEFAULT 0;
