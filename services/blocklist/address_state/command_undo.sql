-- name: undo
-- Put back what was before the clear or the block by hand of a time, where nobody has said anything since. The addresses
-- are in hand.
UPDATE addresses AS a SET
    last_clear = CASE WHEN a.last_clear = k.of THEN a.clear_before ELSE a.last_clear END,
    clear_before = CASE WHEN a.last_clear = k.of THEN NULL ELSE a.clear_before END,
    manual_at = CASE WHEN a.manual_at = k.of THEN a.manual_before ELSE a.manual_at END,
    manual_until = CASE WHEN a.manual_at = k.of THEN NULL ELSE a.manual_until END,
    manual_before = CASE WHEN a.manual_at = k.of THEN NULL ELSE a.manual_before END
FROM unnest($1::text[], $2::text[], $3::timestamptz[]) AS k (tenant, address, of)
WHERE a.tenant = k.tenant AND a.address = k.address AND (a.last_clear = k.of OR a.manual_at = k.of)
