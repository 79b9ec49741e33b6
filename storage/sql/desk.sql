-- People, history, tickets and the ledger: what settlements make true.

-- find_person: who stands behind an identity
SELECT p.id, p.name, p.locale, p.role, p.allowed, p.quota, p.home, i.user_groups
  FROM identity i JOIN person p ON p.id = i.person
 WHERE i.platform = :platform AND i.account = :account AND i.user_id = :user_id;

-- add_person: somebody new
INSERT INTO person (name, role, created_at) VALUES (:name, 'customer', :now) RETURNING id;

-- add_identity: how a platform knows them
INSERT INTO identity (platform, account, user_id, person)
VALUES (:platform, :account, :user_id, :person);

-- set_groups: which of the settings' groups of users they belong to
UPDATE identity SET user_groups = :groups
 WHERE platform = :platform AND account = :account AND user_id = :user_id;

-- rename_person: they call themselves something else now
UPDATE person SET name = :name WHERE id = :id;

-- set_role: block, unblock, or make staff
UPDATE person SET role = :role WHERE id = :id;

-- set_locale: the language they asked for
UPDATE person SET locale = :locale WHERE id = :id;

-- last_turns: the newest of a memory since its fresh start, newest first
SELECT t.role, t.text, t.said_at, t.name, t.tokens
  FROM memory m JOIN turn t ON t.memory = m.id AND t.seq >= m.started_seq
 WHERE m.key = :memory ORDER BY t.seq DESC LIMIT :limit;

-- reserve_turns: room for more turns at the end of a memory
INSERT INTO memory (key, next_seq) VALUES (:key, :count)
ON CONFLICT (key) DO UPDATE SET next_seq = memory.next_seq + :count RETURNING id, next_seq;

-- add_turn: one thing said
INSERT INTO turn (memory, seq, role, text, said_at, name, tokens, person, answer)
VALUES (:memory, :seq, :role, :text, :said_at, :name, :tokens, :person, :answer);

-- turns_of_answer: both sides of one exchange, if it was held in that conversation
SELECT t.role, t.text FROM memory m JOIN turn t ON t.memory = m.id
 WHERE m.key = :memory AND t.answer = :answer
   AND EXISTS (SELECT 1 FROM inbox WHERE id = :answer AND conversation =
                      (SELECT id FROM conversation WHERE key = :conversation))
 ORDER BY t.seq;

-- forget: what was said so far is not looked at again
UPDATE memory SET started_seq = next_seq WHERE key = :key;

-- open_ticket: a person is needed; one open ticket for each person and conversation
INSERT INTO ticket (person, conversation, place, staff, reason, summary, answer, opened_at)
VALUES (:person, :conversation, :place, :staff, :reason, :summary, :answer, :now)
ON CONFLICT DO NOTHING;

-- find_ticket: the one that is open
SELECT id FROM ticket
 WHERE person = :person AND conversation = :conversation AND closed_at IS NULL;

-- add_gap: a question without an answer
INSERT INTO gap (answer, question, locale, confidence, at)
VALUES (:answer, :question, :locale, :confidence, :now);

-- put_feedback: the latest verdict of a person counts, on answers of this conversation only
INSERT INTO feedback (answer, person, good, at)
SELECT :answer, :person, :good, :now
 WHERE EXISTS (SELECT 1 FROM inbox WHERE id = :answer AND conversation =
                      (SELECT id FROM conversation WHERE key = :conversation))
ON CONFLICT (answer, person) DO UPDATE SET good = excluded.good, at = excluded.at;

-- add_ledger: one answer in numbers
INSERT INTO ledger (at, answer, platform, account, chat, person, route, outcome, total_ms, first_text_ms,
                    model, prompt_tokens, completion_tokens, cached_tokens, reasoning_tokens,
                    tokens_estimated, cost, currency, edits, throttled, attempts, finish, error,
                    confidence, cached)
VALUES (:at, :answer, :platform, :account, :chat, :person, :route, :outcome, :total_ms, :first_text_ms,
        :model, :prompt_tokens, :completion_tokens, :cached_tokens, :reasoning_tokens,
        :tokens_estimated, :cost, :currency, :edits, :throttled, :attempts, :finish, :error,
        :confidence, :cached);

-- find_setting: what was decided for this database
SELECT value FROM setting WHERE key = :key;

-- add_setting: the first value stays
INSERT INTO setting (key, value) VALUES (:key, :value) ON CONFLICT DO NOTHING;

-- put_setting: the last value stays
INSERT INTO setting (key, value) VALUES (:key, :value)
ON CONFLICT (key) DO UPDATE SET value = excluded.value;

-- ledger_rows: a range of time, oldest first
SELECT at, route, outcome, total_ms, first_text_ms, model, prompt_tokens, completion_tokens,
       cached_tokens, reasoning_tokens, tokens_estimated, cost, currency, edits, throttled,
       attempts, finish, error, confidence, cached
  FROM ledger WHERE at >= :since AND at < :until ORDER BY at, id;
