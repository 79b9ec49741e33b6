-- Threads that the desk takes part in, and what it hears there.

-- party: who is in exchange with the desk there
SELECT p.sender FROM party p JOIN conversation c ON c.id = p.conversation
 WHERE c.key = :key AND p.said_at >= :since;

-- join_party: somebody addressed the desk
INSERT INTO party (conversation, sender, said_at) VALUES (:conversation, :sender, :now)
ON CONFLICT (conversation, sender) DO UPDATE SET said_at = excluded.said_at;

-- leave_party: this one was turned away
DELETE FROM party WHERE conversation = :conversation AND sender = :sender;

-- end_party: the desk was told to be quiet
DELETE FROM party WHERE conversation = :conversation;

-- prune_party: long silent
DELETE FROM party WHERE (conversation, sender) IN (
    SELECT conversation, sender FROM party WHERE said_at < :before ORDER BY said_at LIMIT :slice)
RETURNING sender;

-- add_heard: something said among others; known again by its keys, and never in any line
INSERT INTO inbox (dedupe, delivery, conversation, sender, origin, alone, position, due_at, state,
                   outcome, body, raw, received_at, settled_at)
VALUES (:dedupe, :delivery, :conversation, :sender, :origin, :alone, :position, :due_at, 2,
        'superseded', :body, :raw, :now, :now)
ON CONFLICT DO NOTHING RETURNING id;

-- remembers: something is remembered there
SELECT 1 AS found FROM memory WHERE key = :key;
