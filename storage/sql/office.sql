-- The admin pages: who may open them, and what they read beside the other stores.

-- drop_old_links: what has been of no use for a day
DELETE FROM admin_link WHERE until < :before;

-- add_link: a link was sent to somebody
INSERT INTO admin_link (token, actor, until) VALUES (:token, :actor, :until);

-- find_link: whose it is, and whether it is still good
SELECT actor, until, spent_at FROM admin_link WHERE token = :token;

-- spend_link: once, in time
UPDATE admin_link SET spent_at = :now
 WHERE token = :token AND spent_at IS NULL AND until > :now RETURNING actor;

-- add_session: somebody came in
INSERT INTO admin_session (token, actor, until) VALUES (:token, :actor, :until);

-- drop_old_sessions: they have run out
DELETE FROM admin_session WHERE until <= :now;

-- drop_sessions: nobody is in any more
DELETE FROM admin_session;

-- find_session: who it is
SELECT actor FROM admin_session WHERE token = :token AND until > :now;

-- drop_session: they went
DELETE FROM admin_session WHERE token = :token;

-- latest_memories: where something was said last. Text and names are looked at newest first, and
-- no further than the newest 5,000 finds.
SELECT f.memory, f.said_at, m.key, p.id AS person, p.name, t.role, t.text
  FROM (SELECT memory, max(said_at) AS said_at FROM
               (SELECT s.memory, s.said_at FROM turn s
                 WHERE :wanted = '' OR lower(s.text) LIKE :wanted ESCAPE '\'
                    OR s.person IN (SELECT id FROM person WHERE lower(name) LIKE :wanted ESCAPE '\')
                 ORDER BY s.said_at DESC LIMIT 5000) AS found
         GROUP BY memory ORDER BY said_at DESC LIMIT :limit) AS f
  JOIN memory m ON m.id = f.memory
  JOIN turn t ON t.memory = m.id AND t.seq = (SELECT max(seq) FROM turn WHERE memory = m.id)
  LEFT JOIN person p ON p.id = t.person
 ORDER BY f.said_at DESC;

-- find_memory: one of them
SELECT key FROM memory WHERE id = :id;

-- turns_before: what was said there, newest first; fresh starts hide nothing here
SELECT t.seq, t.role, t.text, t.said_at, t.name, t.tokens, p.name AS person
  FROM turn t LEFT JOIN person p ON p.id = t.person
 WHERE t.memory = :memory AND t.seq < :before ORDER BY t.seq DESC LIMIT :limit;

-- latest_tickets: the open ones first, each newest first
SELECT t.id, t.person, p.name, t.conversation, t.reason, t.summary, t.opened_at, t.closed_at
  FROM ticket t LEFT JOIN person p ON p.id = t.person
 ORDER BY t.closed_at IS NOT NULL, t.id DESC LIMIT :limit;

-- close_ticket: nobody is needed any more
UPDATE ticket SET closed_at = :now WHERE id = :id AND closed_at IS NULL RETURNING id;
