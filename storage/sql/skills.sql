-- What skills keep: open questions, uses; and the summaries of long conversations.

-- close_forms: the person has said something else; without a memory, wherever it was
DELETE FROM form WHERE person = :person AND (memory = :memory OR :memory = '');

-- open_form: what the next plain message will answer
INSERT INTO form (person, memory, word, given, locale, until)
VALUES (:person, :memory, :word, :given, :locale, :until)
ON CONFLICT (person, memory) DO UPDATE
   SET word = excluded.word, given = excluded.given, locale = excluded.locale,
       until = excluded.until;

-- find_form: the one that is open
SELECT word, given, locale, until FROM form
 WHERE person = :person AND memory = :memory AND until >= :at;

-- add_skill_use: one more
INSERT INTO skill_use (person, skill, at, answer) VALUES (:person, :skill, :at, :answer)
ON CONFLICT DO NOTHING;

-- count_skill_uses: how often since then
SELECT count(*) AS uses FROM skill_use WHERE person = :person AND skill = :skill AND at >= :since;

-- find_summary: as it stands, and how many turns came after it
SELECT m.summary, m.summarised_seq, m.next_seq - 1 - m.summarised_seq AS later
  FROM memory m
 WHERE m.key = :memory AND m.summary <> '' AND m.summarised_seq >= m.started_seq;

-- count_unsummarised: how many turns no summary covers, by their numbers alone
SELECT next_seq - max(started_seq, summarised_seq + 1) AS turns FROM memory WHERE key = :memory;

-- unsummarised_turns: what no summary covers, oldest first
SELECT t.seq, t.role, t.text, t.said_at, t.name, t.tokens
  FROM memory m JOIN turn t ON t.memory = m.id
   AND t.seq >= m.started_seq AND t.seq > m.summarised_seq
 WHERE m.key = :memory ORDER BY t.seq LIMIT :limit;

-- put_summary: unless the memory was started afresh meanwhile, or another was quicker
UPDATE memory SET summary = :text, summarised_seq = :through
 WHERE key = :memory AND started_seq <= :through AND summarised_seq < :through;

-- drop_summary: with a fresh start it is gone
UPDATE memory SET summary = '' WHERE key = :key;
