-- The knowledge base. An entry is never changed in place: its row is live in the generations
-- since <= g < until, so a switch is one small transaction and going back is cheap.

CREATE TABLE kb_live (
    one         INTEGER PRIMARY KEY CHECK (one = 1),
    generation  INTEGER NOT NULL,
    faq_rows    INTEGER NOT NULL,
    doc_rows    INTEGER NOT NULL,
    calibration TEXT NOT NULL
) STRICT;
INSERT INTO kb_live VALUES (1, 0, 0, 0, '');

CREATE TABLE kb_generation (
    id   INTEGER PRIMARY KEY,
    at   INTEGER NOT NULL,
    by   TEXT NOT NULL,
    note TEXT NOT NULL
) STRICT;

CREATE TABLE kb_source (
    id     INTEGER PRIMARY KEY,
    uri    TEXT NOT NULL,
    folder TEXT NOT NULL,
    sha256 TEXT NOT NULL,
    parser TEXT NOT NULL,
    since  INTEGER NOT NULL,
    until  INTEGER NOT NULL
) STRICT;

CREATE TABLE kb_entry (
    id     INTEGER PRIMARY KEY,
    uid    TEXT NOT NULL,
    source TEXT NOT NULL,
    kind   TEXT NOT NULL CHECK (kind IN ('faq', 'doc')),
    title  TEXT NOT NULL,
    answer TEXT,
    url    TEXT NOT NULL,
    locale TEXT NOT NULL,
    hash   TEXT NOT NULL,
    since  INTEGER NOT NULL,
    until  INTEGER NOT NULL
) STRICT;
CREATE INDEX kb_entry_until ON kb_entry (until);
CREATE INDEX kb_entry_since ON kb_entry (since);

-- What is indexed: an FAQ has its question, aliases and answer (a chunk), a document section its
-- chunks. Questions and aliases go into kb_faq, chunks into kb_doc.
-- mass is the weight of the distinct terms. terms are kept because a contentless FTS5 row is deleted by naming exactly what was put in.
CREATE TABLE kb_text (
    id    INTEGER PRIMARY KEY,
    entry INTEGER NOT NULL REFERENCES kb_entry (id),
    role  TEXT NOT NULL CHECK (role IN ('question', 'alias', 'chunk')),
    ord   INTEGER NOT NULL,
    text  TEXT NOT NULL,
    norm  TEXT NOT NULL,
    terms TEXT NOT NULL,
    mass  REAL NOT NULL
) STRICT;
CREATE INDEX kb_text_entry ON kb_text (entry, ord);
CREATE INDEX kb_text_norm ON kb_text (norm) WHERE role <> 'chunk';

CREATE TABLE kb_revision (
    id         INTEGER PRIMARY KEY,
    uid        TEXT NOT NULL,
    action     TEXT NOT NULL,
    before     TEXT NOT NULL,
    after      TEXT NOT NULL,
    by         TEXT NOT NULL,
    at         INTEGER NOT NULL,
    generation INTEGER NOT NULL
) STRICT;
CREATE INDEX kb_revision_uid ON kb_revision (uid, id);

-- Two tables: short questions and long chunks must not share one length norm.
CREATE VIRTUAL TABLE kb_faq USING fts5 (terms, content = '', tokenize = 'unicode61 remove_diacritics 0');
CREATE VIRTUAL TABLE kb_doc USING fts5 (terms, content = '', tokenize = 'unicode61 remove_diacritics 0');
CREATE VIRTUAL TABLE kb_faq_terms USING fts5vocab (kb_faq, row);
CREATE VIRTUAL TABLE kb_doc_terms USING fts5vocab (kb_doc, row);
