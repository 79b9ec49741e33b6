-- Who may ask how much, what admins did, broadcasts, and what is owed to those who asked to be
-- forgotten.

ALTER TABLE person ADD COLUMN allowed INTEGER NOT NULL DEFAULT 0;
ALTER TABLE person ADD COLUMN quota INTEGER;
-- Where the person can be written to alone: the place of their latest private conversation.
ALTER TABLE person ADD COLUMN home TEXT;
UPDATE person SET home = (
    SELECT c.place FROM identity i JOIN conversation c
        ON c.key = i.platform || ':' || i.account || ':' || i.user_id || ':'
     WHERE i.person = person.id LIMIT 1);

-- The chat an answer was given in, whichever of its threads: what limits per chat count.
ALTER TABLE ledger ADD COLUMN chat TEXT NOT NULL DEFAULT '';
CREATE INDEX ledger_of_person ON ledger (person, at);
CREATE INDEX ledger_of_chat ON ledger (chat, at);

CREATE INDEX inbox_sender ON inbox (sender);
CREATE INDEX inbox_relay ON inbox (id) WHERE origin = 'relay';
CREATE INDEX turn_of_person ON turn (person);
CREATE INDEX audit_at ON audit (at);

-- started_at NULL: a draft. reached: the last person it was put in line for; done_at: all were.
CREATE TABLE broadcast (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    code TEXT NOT NULL,
    text TEXT NOT NULL,
    person INTEGER NOT NULL,
    drafted_at INTEGER NOT NULL,
    started_at INTEGER,
    reached INTEGER NOT NULL DEFAULT 0,
    sent_to INTEGER NOT NULL DEFAULT 0,
    done_at INTEGER
) STRICT;
CREATE INDEX broadcast_running ON broadcast (id) WHERE started_at IS NOT NULL AND done_at IS NULL;

-- One row for each person and broadcast: nobody gets one twice, however it is resumed.
CREATE TABLE broadcast_line (
    broadcast INTEGER NOT NULL,
    person INTEGER NOT NULL,
    message INTEGER NOT NULL,
    PRIMARY KEY (broadcast, person)
) STRICT, WITHOUT ROWID;

-- folded_at NULL: the log still holds what was erased.
CREATE TABLE erasure (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    person INTEGER NOT NULL,
    at INTEGER NOT NULL,
    folded_at INTEGER
) STRICT;
CREATE INDEX erasure_owed ON erasure (id) WHERE folded_at IS NULL;
