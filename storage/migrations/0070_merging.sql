-- The words of a whole batch are gathered before a segment is written (by default, after 1 MB: in
-- the middle of each batch), and segments are merged a little with every write from sixteen of a
-- level on; all of a level at once only from 48, which then does not come. Merging whole levels
-- held the writer of an import of 100,000 rows for a second, a little at a time for 0.15 s, at no
-- more CPU (measured). What is left in pieces is put together after the import.
INSERT INTO kb_faq (kb_faq, rank) VALUES ('hashsize', 4194304);
INSERT INTO kb_doc (kb_doc, rank) VALUES ('hashsize', 4194304);
INSERT INTO kb_faq (kb_faq, rank) VALUES ('crisismerge', 48);
INSERT INTO kb_doc (kb_doc, rank) VALUES ('crisismerge', 48);
