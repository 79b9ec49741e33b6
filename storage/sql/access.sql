-- Who may do what and how much, what admins did, broadcasts, and erasure.

-- set_access: block, unblock, let in, or make staff; a second block keeps the day of the first
UPDATE person SET role = :role, allowed = :allowed, ban_reason = :reason,
       banned_at = CASE WHEN :role = 'blocked' THEN coalesce(banned_at, :now) END
 WHERE id = :id;

-- banned_people: who is kept out by hand
SELECT id, name, locale, role, allowed, quota, banned_at, ban_reason FROM person
 WHERE role = 'blocked' ORDER BY coalesce(banned_at, 0) DESC, id DESC LIMIT :limit;

-- set_quota: answers a day for this person; NULL: as everybody
UPDATE person SET quota = :quota WHERE id = :id;

-- set_home: where the person can be written to alone
UPDATE person SET home = :home WHERE id = :id;

-- find_home: where that is
SELECT home FROM person WHERE id = :id;

-- person_by_id: by the number that lists show
SELECT id, name, locale, role, allowed, quota FROM person WHERE id = :id;

-- people_named: who calls themselves so; two are enough to know that it is not one
SELECT id, name, locale, role, allowed, quota FROM person
 WHERE lower(name) = lower(:name) ORDER BY id LIMIT 2;

-- add_audit: who did what
INSERT INTO audit (at, actor, action, detail) VALUES (:now, :actor, :action, :detail);

-- last_audits: the newest first
SELECT at, actor, action, detail FROM audit ORDER BY id DESC LIMIT :limit;

-- count_person: what this person was given since then; commands, refusals and what we ask are free
SELECT coalesce(sum(at >= :minute), 0) AS minute, coalesce(sum(at >= :day), 0) AS day,
       coalesce(sum(CASE WHEN at >= :day THEN prompt_tokens + completion_tokens ELSE 0 END), 0)
           AS tokens
  FROM ledger
 WHERE person = :person AND at >= :since AND route NOT IN ('command', 'declined', 'asked', 'relay');

-- count_chat: what was given in this chat since then
SELECT count(*) AS minute FROM ledger
 WHERE chat = :chat AND at >= :since AND route NOT IN ('command', 'declined', 'asked', 'relay');

-- count_desk: what all of it took since then
SELECT coalesce(sum(prompt_tokens + completion_tokens), 0) AS tokens,
       coalesce(sum(cost), 0.0) AS cost
  FROM ledger WHERE at >= :since;

-- add_broadcast: a draft
INSERT INTO broadcast (code, text, person, drafted_at) VALUES (:code, :text, :person, :now);

-- find_draft: what this code would send, if the same person wrote it lately
SELECT id, text FROM broadcast
 WHERE code = :code AND person = :person AND started_at IS NULL AND drafted_at >= :since
 ORDER BY id DESC LIMIT 1;

-- start_broadcast: it goes out, once
UPDATE broadcast SET started_at = :now
 WHERE id = (SELECT id FROM broadcast
              WHERE code = :code AND person = :person AND started_at IS NULL
              ORDER BY id DESC LIMIT 1)
RETURNING id;

-- drop_drafts: what was never confirmed
DELETE FROM broadcast WHERE started_at IS NULL AND drafted_at < :before;

-- broadcast_to_spread: the first that has not reached everybody
SELECT id, text, started_at, reached, sent_to FROM broadcast
 WHERE started_at IS NOT NULL AND done_at IS NULL AND stopped_at IS NULL ORDER BY id LIMIT 1;

-- next_recipients: who can be written to and is not blocked
SELECT id, home FROM person
 WHERE id > :reached AND home IS NOT NULL AND role <> 'blocked' ORDER BY id LIMIT :slice;

-- count_recipients: how many that are
SELECT count(*) AS people FROM person WHERE home IS NOT NULL AND role <> 'blocked';

-- message_id: the row of a message
SELECT id FROM inbox WHERE dedupe = :dedupe;

-- add_broadcast_line: this person's row
INSERT INTO broadcast_line (broadcast, person, message) VALUES (:broadcast, :person, :message)
ON CONFLICT DO NOTHING;

-- advance_broadcast: everybody up to this person is in line
UPDATE broadcast SET reached = :reached, sent_to = :sent_to, done_at = :done_at WHERE id = :id;

-- running_broadcasts: those that somebody is still to get, or the one with this number; one whose
-- stop was broken off is among them
SELECT id FROM broadcast b
 WHERE started_at IS NOT NULL AND (id = :id OR :id = 0)
   AND (done_at IS NULL
        OR stopped_at IS NULL
           AND EXISTS (SELECT 1 FROM broadcast_line l JOIN inbox i ON i.id = l.message
                        WHERE l.broadcast = b.id AND i.state = 0))
 ORDER BY id;

-- stop_broadcast: whoever has no row yet is counted; it is done when all its rows have ended
UPDATE broadcast
   SET stopped_at = :now, done_at = NULL,
       left_out = CASE WHEN done_at IS NOT NULL THEN 0
                       ELSE (SELECT count(*) FROM person p WHERE p.id > broadcast.reached
                                AND p.home IS NOT NULL AND p.role <> 'blocked') END
 WHERE id = :id AND stopped_at IS NULL;

-- take_back_lines: who works on a row of it, and has sent nothing yet, has lost the lease
UPDATE conversation SET owner = NULL, epoch = epoch + 1, wake_at = :now
 WHERE owner IS NOT NULL
   AND EXISTS (SELECT 1 FROM inbox i JOIN broadcast_line l ON l.message = i.id
                WHERE i.conversation = conversation.id AND i.state = 0 AND i.held = conversation.epoch
                  AND l.broadcast = :id
                  AND NOT EXISTS (SELECT 1 FROM reply r WHERE r.answer = i.id));

-- end_due_lines: rows of it that may be worked on before `before`, where nothing was sent
UPDATE inbox SET state = 2, outcome = 'superseded', settled_at = :now, body = NULL
 WHERE state = 0 AND due_at <= :before
   AND id IN (SELECT message FROM broadcast_line WHERE broadcast = :id)
   AND NOT EXISTS (SELECT 1 FROM reply r WHERE r.answer = inbox.id);

-- stopped_broadcast: one that has rows to end
SELECT id FROM broadcast
 WHERE started_at IS NOT NULL AND done_at IS NULL AND stopped_at IS NOT NULL ORDER BY id LIMIT 1;

-- lines_after: the next people it was put in line for
SELECT person FROM broadcast_line
 WHERE broadcast = :id AND person > :after ORDER BY person LIMIT :slice;

-- end_lines: their rows, where nothing was sent
UPDATE inbox SET state = 2, outcome = 'superseded', settled_at = :now, body = NULL
 WHERE state = 0
   AND id IN (SELECT message FROM broadcast_line
               WHERE broadcast = :id AND person > :after AND person <= :upto)
   AND NOT EXISTS (SELECT 1 FROM reply r WHERE r.answer = inbox.id);

-- close_stopped: all its rows have ended
UPDATE broadcast SET done_at = :now WHERE id = :id;

-- end_line: the same for one that was on its way when its broadcast was stopped, and did not leave;
-- whoever has the first part of it gets the rest
UPDATE inbox SET state = 2, outcome = 'superseded', settled_at = :now, body = NULL
 WHERE id = :message AND state = 0
   AND EXISTS (SELECT 1 FROM broadcast_line l JOIN broadcast b ON b.id = l.broadcast
                WHERE l.message = :message AND b.stopped_at IS NOT NULL)
   AND NOT EXISTS (SELECT 1 FROM reply r WHERE r.answer = inbox.id);

-- last_broadcast: the newest that was started, or the one with this number
SELECT id, sent_to, done_at, stopped_at, left_out FROM broadcast
 WHERE started_at IS NOT NULL AND (id = :id OR :id = 0) ORDER BY id DESC LIMIT 1;

-- broadcast_counts: how its rows ended; an anchor without a message is a send of unknown outcome
SELECT CASE WHEN i.state = 0 AND r.anchor IS NOT NULL THEN 'sending'
            WHEN i.state = 0 THEN 'waiting'
            WHEN r.anchor = '' THEN 'unknown'
            WHEN i.outcome = 'superseded' THEN 'unsent'
            WHEN i.outcome = 'answered' AND i.state = 2 THEN 'delivered'
            ELSE 'failed' END AS fate,
       count(*) AS people
  FROM broadcast_line b JOIN inbox i ON i.id = b.message
  LEFT JOIN (SELECT answer, min(anchor) AS anchor FROM reply GROUP BY answer) r ON r.answer = i.id
 WHERE b.broadcast = :id GROUP BY 1;

-- broadcast_unknowns: to whom it may or may not have come
SELECT p.id, p.name FROM broadcast_line b JOIN person p ON p.id = b.person
 WHERE b.broadcast = :id
   AND (SELECT state FROM inbox WHERE id = b.message) <> 0
   AND EXISTS (SELECT 1 FROM reply r WHERE r.answer = b.message AND r.anchor = '')
 ORDER BY p.id LIMIT :limit;

-- identities_of: how platforms know this person
SELECT platform, account, user_id, user_groups FROM identity WHERE person = :person;

-- their_messages: what this person sent under one identity
SELECT i.id, i.state, i.body, i.received_at, c.id AS conversation, c.place
  FROM inbox i JOIN conversation c ON c.id = i.conversation
 WHERE i.sender = :user_id AND i.origin = 'user'
   AND substr(c.key, 1, length(:prefix)) = :prefix;

-- blank_relays: messages of ours that were sent
UPDATE inbox SET body = NULL, raw = '' WHERE origin = 'relay' AND state = 2 AND body IS NOT NULL;

-- dead_relays: messages of ours that were given up, to find those that quote or reach a person
SELECT id, dedupe, conversation FROM inbox WHERE origin = 'relay' AND state = 3;

-- blank_message: its words go, that it was there stays
UPDATE inbox SET body = NULL, raw = '', error = '' WHERE id = :id AND state <> 0;

-- blank_signals: new words of edited questions
UPDATE signal SET text = NULL
 WHERE conversation = :conversation AND text IS NOT NULL AND taken_at IS NOT NULL;

-- blank_summaries: of memories that this person speaks in; none that is being written is kept
UPDATE memory SET summary = '', summarised_seq = next_seq - 1
 WHERE id IN (SELECT memory FROM turn WHERE person = :person) OR key = :memory;

-- drop_turns: both sides of what was said with this person
DELETE FROM turn WHERE person = :person;

-- blank_tickets: why a person was needed stays, what they wrote goes
UPDATE ticket SET summary = '' WHERE person = :person;

-- blank_gaps: that something was not known stays
UPDATE gap SET question = '' WHERE answer IN (SELECT answer FROM ledger WHERE person = :person);

-- drop_their_drafts: what they wrote to everybody and sent to nobody
DELETE FROM broadcast WHERE person = :person AND started_at IS NULL;

-- blank_broadcasts: what they sent to everybody; one under way goes to nobody further
UPDATE broadcast
   SET text = '', done_at = CASE WHEN stopped_at IS NULL THEN coalesce(done_at, :now) ELSE done_at END
 WHERE person = :person AND started_at IS NOT NULL;

-- blank_attempts: what somebody typed that was refused, by its author or by the name in it
UPDATE audit SET detail = substr(detail, 1, max(instr(detail, ':') - 1, 0))
 WHERE action LIKE '% refused'
   AND (actor = :actor OR (:name <> '' AND instr(lower(detail), lower(:name)) > 0));

-- blank_unread: events that were never understood, which name this person
UPDATE inbox SET raw = '' WHERE state = 3 AND conversation IS NULL AND instr(raw, :user_id) > 0;

-- blank_bans: why somebody was kept out may quote them; that they were stays. So may what was typed
-- in vain, whomever it names
UPDATE audit
   SET detail = CASE action WHEN 'ban' THEN '#' || :person
                            ELSE substr(detail, 1, max(instr(detail, ':') - 1, 0)) END
 WHERE action = 'ban' AND detail LIKE '#' || :person || ':%' OR action = 'ban refused';

-- blank_ban_words: the messages by which people were kept out; they have done their work
UPDATE inbox SET body = NULL, raw = '', error = ''
 WHERE origin = 'user' AND state <> 0 AND body IS NOT NULL AND instr(lower(body), '"/ban') > 0;

-- blank_person: the name goes, and where they can be written to unasked; a block and a quota stay
UPDATE person SET name = '', locale = NULL, home = NULL, ban_reason = '' WHERE id = :person;

-- add_erasure: what was promised
INSERT INTO erasure (person, at) VALUES (:person, :now);

-- folded: the log holds nothing of it any more
UPDATE erasure SET folded_at = coalesce(folded_at, :now) WHERE id <= :id;

-- last_erasure: the newest that is promised; one of late is folded anew, since what was on its way
-- then has been sent, and forgotten, after it
SELECT max(id) AS id FROM erasure WHERE folded_at IS NULL OR at > :since;

-- their_turns: what was said, for an export
SELECT m.key, t.role, t.text, t.said_at, t.name FROM turn t JOIN memory m ON m.id = t.memory
 WHERE t.person = :person ORDER BY t.memory, t.seq;

-- their_tickets: for an export
SELECT reason, summary, opened_at, closed_at FROM ticket WHERE person = :person ORDER BY id;

-- their_ledger: for an export
SELECT at, platform, route, outcome, model, prompt_tokens, completion_tokens FROM ledger
 WHERE person = :person ORDER BY at, id;

-- their_summaries: for an export; of the memory that is theirs alone
SELECT key, summary FROM memory WHERE key = :memory AND summary <> '';

-- their_gaps: for an export
SELECT question, at FROM gap
 WHERE question <> '' AND answer IN (SELECT answer FROM ledger WHERE person = :person) ORDER BY id;

-- their_uses: for an export
SELECT skill, at FROM skill_use WHERE person = :person ORDER BY at;

-- their_bans: for an export; when they were kept out and why, also when that is over
SELECT at, substr(detail, length('#' || :person || ': ') + 1) AS reason FROM audit
 WHERE action = 'ban' AND (detail = '#' || :person OR detail LIKE '#' || :person || ':%')
 ORDER BY id;

-- their_feedback: for an export
SELECT answer, good, at FROM feedback WHERE person = :person ORDER BY at;
