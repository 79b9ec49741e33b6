-- `make`: by which version of the tokeniser an entry's terms were made. Those of another make are
-- made anew at the next start.
ALTER TABLE kb_entry ADD COLUMN make INTEGER NOT NULL DEFAULT 2;

-- `kin`: equal for questions of one language with the same telling words; near-duplicates are
-- found by it without reading the base. 0 for chunks and for texts of an older make.
ALTER TABLE kb_text ADD COLUMN kin INTEGER NOT NULL DEFAULT 0;
CREATE INDEX kb_text_kin ON kb_text (kin) WHERE kin <> 0;

-- An import writes many small segments; merging four at a time, the default, was a quarter of
-- its CPU, and a search in up to sixteen a level is no slower (measured at 100,000 rows).
INSERT INTO kb_faq (kb_faq, rank) VALUES ('automerge', 16);
INSERT INTO kb_doc (kb_doc, rank) VALUES ('automerge', 16);
