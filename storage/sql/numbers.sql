-- What a report on a time has besides its answers.

-- dead_between: letters given up then that nobody has put back
SELECT count(*) AS dead FROM inbox
 WHERE state = 3 AND settled_at >= :since AND settled_at < :until;

-- verdicts_between: how many found their answer good, and bad
SELECT coalesce(sum(good), 0) AS good, coalesce(sum(1 - good), 0) AS bad
  FROM feedback WHERE at >= :since AND at < :until;

-- askers_between: who asked most; what we send ourselves was asked by nobody
SELECT l.person, p.name, count(*) AS requests
  FROM ledger l JOIN person p ON p.id = l.person
 WHERE l.at >= :since AND l.at < :until AND l.route <> 'relay'
 GROUP BY l.person, p.name ORDER BY requests DESC, l.person LIMIT :limit;

-- gaps_between: the newest questions without an answer, blanked ones left out
SELECT question, locale, confidence FROM gap
 WHERE at >= :since AND at < :until AND question <> '' ORDER BY id DESC LIMIT :limit;
