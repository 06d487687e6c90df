-- Which operation made a contact a member: an undo takes out whom it put in, and nobody else.
ALTER TABLE list_members ADD COLUMN operation bigint;
CREATE INDEX list_members_operation ON list_members (operation) WHERE operation IS NOT NULL;
