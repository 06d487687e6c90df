-- What the last clear and the last block by hand took the place of: an undo puts it back.
ALTER TABLE addresses
    ADD COLUMN clear_before timestamptz,
    ADD COLUMN manual_before timestamptz;
