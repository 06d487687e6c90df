-- What the audit knows from an event is noted once.
ALTER TABLE audit ADD COLUMN event text COLLATE "C" UNIQUE;
