-- kb_vector_counts: live texts, those among them with a vector, and the live generation
SELECT l.generation,
       l.faq_rows + l.doc_rows AS texts,
       (SELECT count(*) FROM kb_vector AS v CROSS JOIN kb_text AS t ON t.id = v.text
                        CROSS JOIN kb_entry AS e ON e.id = t.entry
         WHERE v.embedder = :embedder AND e.since <= l.generation AND e.until > l.generation) AS done
  FROM kb_live AS l;

-- kb_vector_missing: live texts without a vector, by number, from one on
SELECT t.id, t.role, e.kind, e.title, t.text
  FROM kb_live AS l CROSS JOIN kb_text AS t CROSS JOIN kb_entry AS e ON e.id = t.entry
 WHERE t.id > :after AND e.since <= l.generation AND e.until > l.generation
   AND NOT EXISTS (SELECT 1 FROM kb_vector AS v WHERE v.text = t.id AND v.embedder = :embedder)
 ORDER BY t.id LIMIT :limit;

-- kb_vector_known: what was embedded before, by key
SELECT key, scale, content FROM kb_vector
 WHERE embedder = :embedder AND text IN
       (SELECT min(text) FROM kb_vector
         WHERE embedder = :embedder AND key IN (SELECT value FROM json_each(:keys)) GROUP BY key);

-- kb_add_vector: keep what a text means, if the text is still there
INSERT INTO kb_vector (text, embedder, key, scale, content)
SELECT :text, :embedder, :key, :scale, :content FROM kb_text WHERE id = :text
    ON CONFLICT (text, embedder) DO NOTHING;

-- kb_vectors: what live texts mean, by number, from one on
SELECT v.text, t.role, t.entry, v.scale, v.content
  FROM kb_live AS l CROSS JOIN kb_vector AS v CROSS JOIN kb_text AS t ON t.id = v.text
       CROSS JOIN kb_entry AS e ON e.id = t.entry
 WHERE v.text > :after AND v.embedder = :embedder
   AND e.since <= l.generation AND e.until > l.generation
 ORDER BY v.text LIMIT :limit;

-- kb_other_vectors: what other embedders left, some at a time
DELETE FROM kb_vector WHERE (text, embedder) IN
       (SELECT text, embedder FROM kb_vector WHERE embedder <> :embedder LIMIT :limit)
RETURNING text;

-- kb_vector_rows: texts by number, of those that are live
SELECT t.id, t.entry, e.kind, t.role, t.ord, t.text, t.terms, t.mass, t.norm, e.locale
  FROM json_each(:ids) AS j CROSS JOIN kb_text AS t ON t.id = j.value
       CROSS JOIN kb_entry AS e ON e.id = t.entry
 WHERE e.since <= :live AND e.until > :live;

-- kb_fit: how an embedder's findings are weighed
SELECT generation, fit FROM kb_fit WHERE embedder = :embedder;

-- kb_keep_fit: weigh an embedder's findings so from now on
INSERT INTO kb_fit (embedder, generation, fit) VALUES (:embedder, :generation, :fit)
    ON CONFLICT (embedder) DO UPDATE SET generation = excluded.generation, fit = excluded.fit;

-- kb_moved_since: live entries, and those among them that came after a generation
SELECT count(*) AS entries, coalesce(sum(e.since > :generation), 0) AS moved
  FROM kb_live AS l CROSS JOIN kb_entry AS e
 WHERE e.since <= l.generation AND e.until > l.generation;
