-- Conversations and their lines of messages. A partial index serves only a statement that repeats
-- its condition word for word: keep `state = 0`, `wake_at IS NOT NULL`, `taken_at IS NULL`.

-- find_conversation: its schedule, before its line changes
SELECT c.id, c.wake_at, c.rest_until, c.owner,
       (SELECT i.due_at FROM inbox i
         WHERE i.conversation = c.id AND i.state = 0 AND i.origin = 'user'
         ORDER BY i.position DESC, i.id DESC LIMIT 1) AS newest_due_at
  FROM conversation c WHERE c.key = :key;

-- settle_together: a further piece came, so those before it are waited for as long
UPDATE inbox SET due_at = :due_at
 WHERE conversation = :conversation AND state = 0 AND origin = 'user'
   AND due_at > :now AND due_at < :due_at;

-- move_conversation: it goes on under another name, if nobody has that
UPDATE conversation SET key = :new, place = :place
 WHERE key = :old AND NOT EXISTS (SELECT 1 FROM conversation WHERE key = :new) RETURNING id;

-- move_memory: what was said goes with it
UPDATE memory SET key = :new
 WHERE key = :old AND NOT EXISTS (SELECT 1 FROM memory WHERE key = :new);

-- move_tickets: and who waits for a person
UPDATE ticket SET conversation = :new, place = :place WHERE conversation = :old;

-- open_line: everything without an outcome
SELECT id, body FROM inbox WHERE conversation = :conversation AND state = 0;

-- pieces_of: what waits of one sender in a line and nobody works on, in order
SELECT i.id, i.body, i.alone FROM inbox i JOIN conversation c ON c.id = i.conversation
 WHERE i.conversation = :conversation AND i.state = 0 AND i.sender = :sender AND i.origin = 'user'
   AND i.answer IS NULL AND (c.owner IS NULL OR i.held <> c.epoch)
 ORDER BY i.position, i.id;

-- add_conversation: first message from a place
INSERT INTO conversation (key, place) VALUES (:key, :place) RETURNING id;

-- add_message: one row, or none when either key is known
INSERT INTO inbox (dedupe, delivery, conversation, sender, origin, alone, position, due_at, body,
                   raw, received_at)
VALUES (:dedupe, :delivery, :conversation, :sender, :origin, :alone, :position, :due_at, :body,
        :raw, :now)
ON CONFLICT DO NOTHING RETURNING id;

-- add_dead: an event that could not be understood, kept for a person to look at
INSERT INTO inbox (dedupe, delivery, sender, origin, alone, position, due_at, state, raw, error,
                   received_at, settled_at)
VALUES (:dedupe, :delivery, '', 'user', 1, 0, :now, 3, :raw, :error, :now, :now)
ON CONFLICT DO NOTHING RETURNING id;

-- schedule: the conversation is to be looked at then; a lease's own time is not touched
UPDATE conversation SET wake_at = :wake_at WHERE id = :id AND owner IS NULL;

-- due_conversations: the longest due first; a held one is due when its lease has lapsed
SELECT id, key, owner, epoch FROM conversation
 WHERE wake_at IS NOT NULL AND wake_at <= :now ORDER BY wake_at, id LIMIT :limit;

-- due_line: the head of a conversation's line and who follows
SELECT i.id, i.sender, i.origin, i.alone, i.attempt, i.held, i.answer, i.body, i.received_at,
       EXISTS (SELECT 1 FROM reply r WHERE r.answer = i.id) AS begun
  FROM inbox i
 WHERE i.conversation = :conversation AND i.state = 0 AND i.due_at <= :now
 ORDER BY i.position, i.id LIMIT :limit;

-- stopped_answer: is this answer to end, when somebody works on it again
SELECT 1 AS found FROM signal
 WHERE conversation = :conversation AND taken_at IS NULL AND kind = 'stop' AND answer = :answer
UNION ALL
SELECT 1 AS found FROM signal
 WHERE conversation = :conversation AND held = 1 AND kind = 'stop' AND answer = :answer;

-- covered_line: exactly the messages that a written answer covers
SELECT i.id, i.sender, i.origin, i.alone, i.attempt, i.answer, i.body, i.received_at, 1 AS begun
  FROM inbox i
 WHERE i.conversation = :conversation AND i.state = 0 AND i.answer = :answer
 ORDER BY i.position, i.id;

-- hold_conversation: the lease begins
UPDATE conversation SET owner = :owner, epoch = epoch + 1, wake_at = :until WHERE id = :id;

-- hold_message: it belongs to this lease; the head counts the attempt
UPDATE inbox SET held = :epoch, attempt = attempt + :counted WHERE id = :id;

-- bury_message: a row that cannot be read again stands in nobody's way
UPDATE inbox SET state = 3, error = :error, settled_at = :now WHERE id = :id AND state = 0;

-- anchors_of: what is on screen for an answer
SELECT part, place, anchor, kind, frozen, shown, size FROM reply WHERE answer = :answer ORDER BY part;

-- answer_of: the written answer
SELECT body FROM answer WHERE id = :answer;

-- fence: the conversation, if this lease still holds it
SELECT id FROM conversation WHERE key = :key AND epoch = :epoch AND owner = :owner;

-- extend: the lease goes on, if it still holds
UPDATE conversation SET wake_at = :until
 WHERE key = :key AND epoch = :epoch AND owner = :owner RETURNING id;

-- put_anchor: what a part shows now
INSERT INTO reply (answer, part, place, anchor, kind, frozen, shown, size)
VALUES (:answer, :part, :place, :anchor, :kind, :frozen, :shown, :size)
ON CONFLICT (answer, part) DO UPDATE SET
    place = excluded.place, anchor = excluded.anchor, kind = excluded.kind,
    frozen = excluded.frozen, shown = excluded.shown, size = excluded.size;

-- drop_anchor: a part that is on no screen any more
DELETE FROM reply WHERE answer = :answer AND part = :part;

-- put_answer: the whole text, before its last edit
INSERT INTO answer (id, body, written_at) VALUES (:id, :body, :now)
ON CONFLICT (id) DO UPDATE SET body = excluded.body, written_at = excluded.written_at;

-- drop_answer: it is delivered
DELETE FROM answer WHERE id = :id;

-- cover: this message belongs to that answer
UPDATE inbox SET answer = :answer WHERE id = :id AND state = 0;

-- finish_message: one outcome each; what we sent may quote anybody, and has done its work
UPDATE inbox SET state = :state, outcome = :outcome, answer = :answer, error = :error,
       settled_at = :now, body = CASE WHEN origin = 'relay' AND :state = 2 THEN NULL ELSE body END
 WHERE id = :id AND state = 0;

-- cover_message: a message that needed no answer of its own
UPDATE inbox SET state = 2, outcome = 'superseded', settled_at = :now
 WHERE dedupe = :dedupe AND state = 0;

-- next_wake: now while anything is due, else when the next thing will be
SELECT CASE WHEN EXISTS (SELECT 1 FROM inbox WHERE conversation = :conversation AND state = 0
                            AND due_at <= :now)
            THEN :now
            ELSE (SELECT min(due_at) FROM inbox WHERE conversation = :conversation AND state = 0)
       END AS wake_at;

-- release: nobody holds it any more
UPDATE conversation SET owner = NULL, wake_at = :wake_at WHERE id = :id;

-- rest: nobody holds it, and new messages wait with the old
UPDATE conversation SET owner = NULL, wake_at = :until, rest_until = :until WHERE id = :id;

-- note_failure: why the last attempt ended; an attempt that does not count is given back
UPDATE inbox SET error = :error, attempt = attempt - :uncounted WHERE id = :id;

-- free_leases: whatever other owners held; the least often attempted come first, so that a message
-- that kills its worker stands behind all that it could take along
UPDATE conversation
   SET owner = NULL,
       wake_at = :now - 1000 + 10 * coalesce((SELECT max(i.attempt) FROM inbox i
                                WHERE i.conversation = conversation.id AND i.state = 0), 0)
 WHERE owner IS NOT NULL AND owner <> :owner RETURNING id;

-- suspects: open messages attempted so often
SELECT count(*) AS found FROM inbox WHERE state = 0 AND attempt >= :attempts;

-- first_wake: when anything may be due, or a lease may lapse
SELECT min(wake_at) AS wake_at FROM conversation WHERE wake_at IS NOT NULL;

-- add_signal: control for an answer that may be running
INSERT INTO signal (delivery, conversation, kind, answer, position, key, text, received_at)
VALUES (:delivery, :conversation, :kind, :answer, :position, :key, :text, :now)
ON CONFLICT DO NOTHING RETURNING id;

-- any_signal: is there one to take
SELECT 1 AS found FROM signal
 WHERE conversation = (SELECT id FROM conversation WHERE key = :key) AND taken_at IS NULL LIMIT 1;

-- take_signals: for the holder of the lease alone, which has them in hand until it settles
UPDATE signal SET taken_at = :now, held = 1
 WHERE conversation = (SELECT id FROM conversation
                        WHERE key = :key AND epoch = :epoch AND owner = :owner)
   AND taken_at IS NULL
RETURNING id, kind, answer, position, key, text;

-- held_signals: what a holder that never settled was told of its answer; an edit has changed the
-- message itself
SELECT id, kind, answer, position, key, text FROM signal
 WHERE conversation = :conversation AND held = 1 AND kind IN ('stop', 'delete') ORDER BY id;

-- drop_signals: settled, so nothing has to hear of them again
UPDATE signal SET held = 0 WHERE conversation = :conversation AND held = 1;

-- open_message: one that an edit or a deletion may still reach, and whether work on it has begun
SELECT i.id, i.body, i.answer,
       CASE WHEN c.owner IS NOT NULL AND i.held = c.epoch THEN 1 ELSE 0 END AS leased,
       EXISTS (SELECT 1 FROM reply r WHERE r.answer = i.id) AS begun
  FROM inbox i JOIN conversation c ON c.id = i.conversation
 WHERE i.dedupe = :dedupe AND i.state = 0;

-- reword: the text was edited before anybody answered it
UPDATE inbox SET body = :body WHERE id = :id AND state = 0;

-- depth: what waits, what is worked on, what was given up
SELECT (SELECT count(*) FROM inbox WHERE state = 0 AND due_at <= :now) AS waiting,
       (SELECT count(*) FROM conversation WHERE owner IS NOT NULL) AS leased,
       (SELECT count(*) FROM inbox WHERE state = 3) AS dead,
       (SELECT min(due_at) FROM inbox WHERE state = 0 AND due_at <= :now) AS oldest;
