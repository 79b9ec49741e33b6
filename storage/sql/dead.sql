-- Dead letters: rows of the inbox that were given up, for a person to look at.

-- dead_letters: the newest first; readable ones can be tried again
SELECT i.id, i.origin, i.error, i.received_at, i.settled_at, i.raw, i.body,
       c.key AS conversation,
       CASE WHEN i.body IS NULL OR i.conversation IS NULL THEN 0 ELSE 1 END AS readable
  FROM inbox i LEFT JOIN conversation c ON c.id = i.conversation
 WHERE i.state = 3 ORDER BY i.id DESC LIMIT :limit;

-- dead_letter: one of them
SELECT i.id, i.origin, i.error, i.received_at, i.settled_at, i.raw, i.body,
       c.key AS conversation,
       CASE WHEN i.body IS NULL OR i.conversation IS NULL THEN 0 ELSE 1 END AS readable
  FROM inbox i LEFT JOIN conversation c ON c.id = i.conversation
 WHERE i.state = 3 AND i.id = :id;

-- dead_ids: all that can be tried again, in the order they came
SELECT id FROM inbox
 WHERE state = 3 AND body IS NOT NULL AND conversation IS NOT NULL ORDER BY id;

-- requeue: as if it had just come, in its old place in the line; a stopped broadcast stays stopped
UPDATE inbox SET state = 0, attempt = 0, held = 0, answer = NULL, outcome = NULL, error = '',
       settled_at = NULL
 WHERE id = :id AND state = 3 AND body IS NOT NULL AND conversation IS NOT NULL
   AND NOT EXISTS (SELECT 1 FROM broadcast_line l JOIN broadcast b ON b.id = l.broadcast
                    WHERE l.message = inbox.id AND b.stopped_at IS NOT NULL)
RETURNING conversation;

-- wake: work has come back to a conversation that may sleep; a lease's own time is not touched
UPDATE conversation
   SET wake_at = CASE WHEN rest_until > :now THEN rest_until ELSE :now END
 WHERE id = :id AND owner IS NULL AND (wake_at IS NULL OR wake_at > :now);
