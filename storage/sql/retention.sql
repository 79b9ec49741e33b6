-- Deletes in slices, so that no caller waits long behind one of them.

-- prune_inbox: settled long ago; their answers and reply rows go with them
DELETE FROM inbox WHERE id IN (
    SELECT id FROM inbox WHERE settled_at IS NOT NULL AND settled_at < :before AND state = :state
     ORDER BY settled_at LIMIT :slice) RETURNING id;

-- prune_signals: taken or stale
DELETE FROM signal WHERE id IN (
    SELECT id FROM signal WHERE received_at < :before ORDER BY received_at LIMIT :slice)
RETURNING id;

-- prune_turns: said long ago
DELETE FROM turn WHERE (memory, seq) IN (
    SELECT memory, seq FROM turn WHERE said_at < :before ORDER BY said_at LIMIT :slice)
RETURNING seq;
