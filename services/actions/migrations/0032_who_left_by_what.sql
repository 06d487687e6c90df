-- Whoever has left is set back by an operation of its own: it undoes the blocks of the one by which they left.
ALTER TABLE contacts ADD left_by text COLLATE "C";          -- id of the operation
UPDATE contacts AS c SET left_by = o.operation_id
FROM operations AS o JOIN operation_undo_values AS b ON b.operation = o.no AND b.address IS NULL
WHERE o.operation = 'set_former_employee' AND c.tenant = o.tenant AND c.contact = b.id
  AND c.former_employee AND c.former_employee_at = o.requested_at;
