-- Times of the last eight commands that were undone: one of them that comes again stays undone.
ALTER TABLE addresses ADD COLUMN undone timestamptz[];
