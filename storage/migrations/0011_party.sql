-- Who the desk is in exchange with in a thread that others write in too; emptied by /quiet.
CREATE TABLE party (
    conversation INTEGER NOT NULL REFERENCES conversation (id),
    sender TEXT NOT NULL,
    said_at INTEGER NOT NULL,
    PRIMARY KEY (conversation, sender)
) STRICT, WITHOUT ROWID;
CREATE INDEX party_age ON party (said_at);
