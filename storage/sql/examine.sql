-- What the doctor counts.

-- kb_count: entries that are live
SELECT count(*) AS entries FROM kb_live AS l CROSS JOIN kb_entry AS e
 WHERE e.since <= l.generation AND e.until > l.generation;
