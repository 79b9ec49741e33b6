-- Answers that broke off, and those that went on with them.

-- newest_answer: the last one that this memory holds of this conversation
SELECT t.answer FROM memory m JOIN turn t ON t.memory = m.id
 WHERE m.key = :memory AND t.seq >= m.started_seq AND t.role = 'assistant'
   AND EXISTS (SELECT 1 FROM inbox i JOIN conversation c ON c.id = i.conversation
                WHERE i.id = t.answer AND c.key = :conversation)
 ORDER BY t.seq DESC LIMIT 1;

-- broken_off: how it came to be and ended, and which answer went on with it; nothing for one that
-- is whole
SELECT route, finish, (SELECT answer FROM continuation WHERE continues = :answer) AS later
  FROM ledger WHERE answer = :answer AND finish IN ('cut', 'truncated', 'stopped') LIMIT 1;

-- earlier_part: what this answer went on with
SELECT continues FROM continuation WHERE answer = :answer;

-- turns_leading_to: the newest `limit` before this answer's question, since the last fresh start
SELECT t.role, t.text, t.said_at, t.name, t.tokens FROM memory m JOIN turn t ON t.memory = m.id
 WHERE m.key = :memory AND t.seq >= m.started_seq
   AND t.seq < (SELECT min(seq) FROM turn WHERE memory = m.id AND answer = :answer)
 ORDER BY t.seq DESC LIMIT :limit;

-- go_on: this answer is the rest of that one
INSERT INTO continuation (answer, continues) VALUES (:answer, :continues) ON CONFLICT DO NOTHING;
