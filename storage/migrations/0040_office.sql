-- Who may open the admin pages: links that were sent in chat, and the sessions they began. Only
-- hashes are kept, so a copy of this file opens nothing. Times in ms since the epoch.
CREATE TABLE admin_link (
    token TEXT PRIMARY KEY,
    actor TEXT NOT NULL,
    until INTEGER NOT NULL,
    spent_at INTEGER
) STRICT, WITHOUT ROWID;

CREATE TABLE admin_session (
    token TEXT PRIMARY KEY,
    actor TEXT NOT NULL,
    until INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
