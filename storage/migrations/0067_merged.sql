-- A search spends twice the CPU in an index of ten pieces, as an import of 10,000 rows leaves it, as
-- in one of one piece. Imports are followed by a merge from now on; this is for what is there.
INSERT INTO kb_faq (kb_faq) VALUES ('optimize');
INSERT INTO kb_doc (kb_doc) VALUES ('optimize');
