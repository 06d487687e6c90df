-- Who published what became a dead letter: it is accepted by this again when it is replayed.
ALTER TABLE dead_letters ADD COLUMN published_by text COLLATE "C" NOT NULL DEFAULT '';
