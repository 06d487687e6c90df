-- Who has left is few among many: found without meeting all the others.
CREATE INDEX contacts_former ON contacts (tenant, contact) WHERE former_employee;
