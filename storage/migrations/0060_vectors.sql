-- What texts mean to an embedder: a direction, one signed byte a number, times scale. `key` is a
-- hash of what was embedded, so that a text that comes again need not be asked for again.
CREATE TABLE kb_vector (
    text     INTEGER NOT NULL REFERENCES kb_text (id) ON DELETE CASCADE,
    embedder TEXT NOT NULL,
    key      TEXT NOT NULL,
    scale    REAL NOT NULL,
    content  BLOB NOT NULL,
    PRIMARY KEY (text, embedder)
) STRICT;
CREATE INDEX kb_vector_key ON kb_vector (embedder, key);

-- How an embedder's findings are weighed and judged in this base: fitted in `generation`.
CREATE TABLE kb_fit (
    embedder   TEXT PRIMARY KEY,
    generation INTEGER NOT NULL,
    fit        TEXT NOT NULL
) STRICT, WITHOUT ROWID;
