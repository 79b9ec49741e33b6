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

-- prune_summaries: in short what was said in memories of which nothing else is kept any more
UPDATE memory SET summary = '' WHERE id IN (
    SELECT id FROM memory m WHERE summary <> '' AND NOT EXISTS (
        SELECT 1 FROM turn t WHERE t.memory = m.id AND t.said_at >= :before)
     ORDER BY id LIMIT :slice) RETURNING id;

-- prune_gaps: the words of questions asked long ago; that something was not known stays
UPDATE gap SET question = '' WHERE id IN (
    SELECT id FROM gap WHERE at < :before AND question <> '' ORDER BY at LIMIT :slice)
RETURNING id;

-- prune_tickets: what was written when a person was needed; an open one is still of use
UPDATE ticket SET summary = '' WHERE id IN (
    SELECT id FROM ticket WHERE closed_at < :before AND summary <> '' ORDER BY id LIMIT :slice)
RETURNING id;

-- prune_broadcasts: texts that everybody had long ago, and drafts that nobody sent
UPDATE broadcast SET text = '' WHERE id IN (
    SELECT id FROM broadcast WHERE coalesce(done_at, drafted_at) < :before AND text <> ''
       AND (done_at IS NOT NULL OR started_at IS NULL) ORDER BY id LIMIT :slice) RETURNING id;

-- prune_forms: questions of commands that nobody waits for an answer to
DELETE FROM form WHERE (person, memory) IN (
    SELECT person, memory FROM form WHERE until < :before LIMIT :slice) RETURNING person;

-- prune_continuations: which answer is the rest of which, once neither can be gone on with any more
DELETE FROM continuation WHERE answer IN (
    SELECT c.answer FROM continuation c
     WHERE NOT EXISTS (SELECT 1 FROM inbox WHERE id IN (c.answer, c.continues)) LIMIT :slice)
RETURNING answer;
