-- The terms come folded and free of marks: an index that only parts them at spaces keeps the same
-- ones and spends a quarter less CPU on each row (measured at 30,000 rows). Made anew from kb_text.
DROP TABLE kb_faq_terms;
DROP TABLE kb_doc_terms;
DROP TABLE kb_faq;
DROP TABLE kb_doc;
CREATE VIRTUAL TABLE kb_faq USING fts5 (terms, content = '', tokenize = 'ascii');
CREATE VIRTUAL TABLE kb_doc USING fts5 (terms, content = '', tokenize = 'ascii');
CREATE VIRTUAL TABLE kb_faq_terms USING fts5vocab (kb_faq, row);
CREATE VIRTUAL TABLE kb_doc_terms USING fts5vocab (kb_doc, row);
INSERT INTO kb_faq (kb_faq, rank) VALUES ('automerge', 16);
INSERT INTO kb_doc (kb_doc, rank) VALUES ('automerge', 16);
INSERT INTO kb_faq (rowid, terms) SELECT id, terms FROM kb_text WHERE role <> 'chunk' ORDER BY id;
INSERT INTO kb_doc (rowid, terms) SELECT id, terms FROM kb_text WHERE role = 'chunk' ORDER BY id;
