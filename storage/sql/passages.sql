-- kb_live: the live generation, its row counts and calibration
SELECT generation, faq_rows, doc_rows, calibration FROM kb_live;

-- kb_faq_frequencies: in how many FAQ rows each of these terms stands
SELECT v.term, v.doc FROM json_each(:terms) AS j CROSS JOIN kb_faq_terms AS v WHERE v.term = j.value;

-- kb_doc_frequencies: in how many chunks each of these terms stands
SELECT v.term, v.doc FROM json_each(:terms) AS j CROSS JOIN kb_doc_terms AS v WHERE v.term = j.value;

-- kb_find_faq: live questions and aliases that share terms, best first by bm25
SELECT t.id, t.entry, e.kind, t.role, t.ord, t.text, t.terms, t.mass, t.norm, e.locale
  FROM kb_faq AS f CROSS JOIN kb_text AS t ON t.id = f.rowid CROSS JOIN kb_entry AS e ON e.id = t.entry
 WHERE f.terms MATCH :match AND e.since <= :live AND e.until > :live
 ORDER BY f.rank LIMIT :limit;

-- kb_find_doc: live chunks that share terms, best first by bm25
SELECT t.id, t.entry, e.kind, t.role, t.ord, t.text, t.terms, t.mass, t.norm, e.locale
  FROM kb_doc AS f CROSS JOIN kb_text AS t ON t.id = f.rowid CROSS JOIN kb_entry AS e ON e.id = t.entry
 WHERE f.terms MATCH :match AND e.since <= :live AND e.until > :live
 ORDER BY f.rank LIMIT :limit;

-- kb_find_exact: live questions and aliases that read the same
SELECT t.id, t.entry, e.kind, t.role, t.ord, t.text, t.terms, t.mass, t.norm, e.locale
  FROM kb_text AS t CROSS JOIN kb_entry AS e ON e.id = t.entry
 WHERE t.norm = :norm AND t.role <> 'chunk' AND e.since <= :live AND e.until > :live
 ORDER BY t.id LIMIT 20;

-- kb_fetch: entries by id
SELECT e.id, e.uid, e.kind, e.title, e.source, e.answer, e.url, e.locale
  FROM json_each(:ids) AS j CROSS JOIN kb_entry AS e ON e.id = j.value;

-- kb_around: chunks of an entry between two places, in order
SELECT text FROM kb_text WHERE entry = :entry AND ord BETWEEN :first AND :last ORDER BY ord;

-- kb_last_ids: the highest numbers given out
SELECT (SELECT coalesce(max(id), 0) FROM kb_entry) AS entry,
       (SELECT coalesce(max(id), 0) FROM kb_text) AS text,
       (SELECT max(generation, (SELECT coalesce(max(id), 0) FROM kb_generation)) FROM kb_live)
           AS generation;

-- kb_add_entry: stage an entry; unseen until its generation is live
INSERT INTO kb_entry (id, uid, source, kind, title, answer, url, locale, hash, make, since, until)
VALUES (:id, :uid, :source, :kind, :title, :answer, :url, :locale, :hash, :make, :since, :until);

-- kb_add_text: stage one indexed text
INSERT INTO kb_text (id, entry, role, ord, text, norm, terms, mass, kin)
VALUES (:id, :entry, :role, :ord, :text, :norm, :terms, :mass, :kin);

-- kb_index_faq: put a question's terms into the index
INSERT INTO kb_faq (rowid, terms) VALUES (:id, :terms);

-- kb_index_doc: put a chunk's terms into the index
INSERT INTO kb_doc (rowid, terms) VALUES (:id, :terms);

-- kb_unindex_faq: take a question's terms out again; they must be what was put in
INSERT INTO kb_faq (kb_faq, rowid, terms) VALUES ('delete', :id, :terms);

-- kb_unindex_doc: take a chunk's terms out again; they must be what was put in
INSERT INTO kb_doc (kb_doc, rowid, terms) VALUES ('delete', :id, :terms);

-- kb_gather_faq: how many segments of a level the index of questions lets lie, by FTS5's settings
INSERT INTO kb_faq (kb_faq, rank) VALUES (:setting, :segments);

-- kb_gather_doc: how many segments of a level the index of chunks lets lie, by FTS5's settings
INSERT INTO kb_doc (kb_doc, rank) VALUES (:setting, :segments);

-- kb_merge_faq: rewrite some pages of the index of questions with fewer pieces
INSERT INTO kb_faq (kb_faq, rank) VALUES ('merge', :pages);

-- kb_merge_doc: rewrite some pages of the index of chunks with fewer pieces
INSERT INTO kb_doc (kb_doc, rank) VALUES ('merge', :pages);

-- kb_pieces_faq: of how many b-trees the index of questions is made; each looked up, none read
WITH RECURSIVE piece (id) AS (
    SELECT min(segid) FROM kb_faq_idx
     UNION ALL
    SELECT (SELECT min(segid) FROM kb_faq_idx WHERE segid > piece.id) FROM piece WHERE id IS NOT NULL)
SELECT count(id) AS pieces FROM piece;

-- kb_pieces_doc: of how many b-trees the index of chunks is made; each looked up, none read
WITH RECURSIVE piece (id) AS (
    SELECT min(segid) FROM kb_doc_idx
     UNION ALL
    SELECT (SELECT min(segid) FROM kb_doc_idx WHERE segid > piece.id) FROM piece WHERE id IS NOT NULL)
SELECT count(id) AS pieces FROM piece;

-- kb_changes: rows changed through this connection since it was opened
SELECT total_changes() AS changes;

-- kb_retire: these entries are live no more from this generation on; until its switch they are
UPDATE kb_entry SET until = :generation
 WHERE until > :generation AND id IN (SELECT value FROM json_each(:ids));

-- kb_retired_early: entries that an import which died would have retired, some at a time
SELECT id FROM kb_entry WHERE until > :live AND until < :forever LIMIT :limit;

-- kb_keep: these entries stay live after all
UPDATE kb_entry SET until = :forever WHERE id IN (SELECT value FROM json_each(:ids));

-- kb_count_staged: texts of one index that a generation brings
SELECT count(*) AS texts FROM kb_entry AS e CROSS JOIN kb_text AS t ON t.entry = e.id
 WHERE e.since = :generation AND (t.role = 'chunk') = :chunks;

-- kb_count_retired: texts of one index that a generation no longer has
SELECT count(*) AS texts FROM kb_entry AS e CROSS JOIN kb_text AS t ON t.entry = e.id
 WHERE e.until = :generation AND (t.role = 'chunk') = :chunks;

-- kb_retire_source: this file's record is superseded
UPDATE kb_source SET until = :generation WHERE uri = :uri AND until > :generation;

-- kb_add_source: this file is live from this generation on
INSERT INTO kb_source (uri, folder, sha256, parser, since, until)
VALUES (:uri, :folder, :sha256, :parser, :since, :until);

-- kb_add_generation: one more state of the base
INSERT INTO kb_generation (id, at, by, note) VALUES (:id, :at, :by, :note);

-- kb_add_revision: who changed what
INSERT INTO kb_revision (uid, action, before, after, by, at, generation)
VALUES (:uid, :action, :before, :after, :by, :at, :generation);

-- kb_switch: make a generation live, and know how many rows it has more or fewer
UPDATE kb_live SET generation = :generation,
       faq_rows = faq_rows + :faq_more, doc_rows = doc_rows + :doc_more;

-- kb_calibrate: keep weights and thresholds
UPDATE kb_live SET calibration = :calibration;

-- kb_unseen: entries in no generation from :oldest to :live, some at a time
SELECT id FROM kb_entry WHERE until <= :oldest
 UNION ALL
SELECT id FROM kb_entry WHERE since > :live
 LIMIT :limit;

-- kb_texts: the indexed texts of an entry in order
SELECT id, role, ord, text, norm, terms, mass, kin FROM kb_text WHERE entry = :entry ORDER BY ord;

-- kb_first_texts: some of an entry's texts, as they stand in the index
SELECT id, role, ord, terms FROM kb_text WHERE entry = :entry ORDER BY ord LIMIT :limit;

-- kb_drop_texts: delete an entry's texts up to a place, after their index rows
DELETE FROM kb_text WHERE entry = :entry AND ord <= :last;

-- kb_drop_entry: delete an entry, after its texts
DELETE FROM kb_entry WHERE id = :entry;

-- kb_drop_revisions: changes that never came to be
DELETE FROM kb_revision WHERE generation > :live;

-- kb_drop_sources: records of files in no kept generation
DELETE FROM kb_source WHERE until <= :oldest OR since > :live;

-- kb_drop_generations: states that cannot be gone back to
DELETE FROM kb_generation WHERE id < :oldest;

-- kb_gaps: questions that went unanswered and were not blanked since
SELECT question, locale, confidence FROM gap WHERE at >= :since AND question <> '' ORDER BY id;

-- kb_generations: states that can be gone back to, newest first
SELECT g.id, g.at, g.by, g.note, g.id = l.generation AS live
  FROM kb_generation AS g CROSS JOIN kb_live AS l ORDER BY g.id DESC;

-- kb_entries: all that is live, by source and uid; of one name where one is given
SELECT e.id, e.uid, e.source, e.kind, e.title, e.hash, e.answer, e.url, e.locale, e.make
  FROM kb_live AS l CROSS JOIN kb_entry AS e
 WHERE e.since <= l.generation AND e.until > l.generation AND (:uid = '' OR e.uid = :uid)
 ORDER BY e.source, e.uid;

-- kb_heads: all that is live, in brief
SELECT e.id, e.uid, e.source, e.hash FROM kb_live AS l CROSS JOIN kb_entry AS e
 WHERE e.since <= l.generation AND e.until > l.generation;

-- kb_heads_of: of these names what is live, in brief
SELECT e.id, e.uid, e.source, e.hash FROM kb_live AS l CROSS JOIN kb_entry AS e
 WHERE e.since <= l.generation AND e.until > l.generation
   AND e.uid IN (SELECT value FROM json_each(:uids));

-- kb_outdated: live entries whose terms another version of the tokeniser made, by id
SELECT e.id, e.uid, e.source, e.kind, e.title, e.hash, e.answer, e.url, e.locale, e.make
  FROM kb_live AS l CROSS JOIN kb_entry AS e
 WHERE e.id > :after AND e.since <= l.generation AND e.until > l.generation AND e.make <> :make
 ORDER BY e.id LIMIT :limit;

-- kb_kin: live questions of equal telling words, of which the later one came in this generation
SELECT o.uid AS first, n.uid AS second, a.text AS first_text, b.text AS second_text,
       o.answer AS first_answer, n.answer AS second_answer
  FROM kb_entry AS n CROSS JOIN kb_text AS b ON b.entry = n.id AND b.kin <> 0
 CROSS JOIN kb_text AS a ON a.kin = b.kin AND a.entry <> b.entry AND a.kin <> 0
 CROSS JOIN kb_entry AS o ON o.id = a.entry
 WHERE n.since = :generation AND n.until > :generation
   AND o.since <= :generation AND o.until > :generation
   AND (o.since < :generation OR a.id < b.id)
 ORDER BY b.id, a.id LIMIT :limit;

-- kb_questions: all live questions and aliases
SELECT t.id, t.entry, e.kind, t.role, t.ord, t.text, t.terms, t.mass, t.norm, e.locale
  FROM kb_live AS l CROSS JOIN kb_entry AS e CROSS JOIN kb_text AS t ON t.entry = e.id
 WHERE e.since <= l.generation AND e.until > l.generation AND t.role <> 'chunk'
 ORDER BY t.id;

-- kb_sources: all files that are live
SELECT s.uri, s.folder, s.sha256, s.parser FROM kb_live AS l CROSS JOIN kb_source AS s
 WHERE s.since <= l.generation AND s.until > l.generation ORDER BY s.uri;

-- kb_lost_entries: live in an older generation and not now
SELECT id, uid, source, kind, title, hash, answer, url, locale, make FROM kb_entry
 WHERE since <= :target AND until > :target AND until <= :live;

-- kb_new_entries: live now and not in an older generation
SELECT id FROM kb_entry WHERE since > :target AND since <= :live AND until > :live;

-- kb_sources_in: files as they were in one generation
SELECT uri, folder, sha256, parser FROM kb_source WHERE since <= :target AND until > :target;

-- kb_revisions: what changed, newest first
SELECT r.uid, r.action, r.before, r.after, r.by, r.at, r.generation
  FROM kb_live AS l CROSS JOIN kb_revision AS r
 WHERE r.generation <= l.generation AND (:uid = '' OR r.uid = :uid)
 ORDER BY r.id DESC LIMIT :limit;
