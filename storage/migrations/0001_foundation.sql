-- Ids from platforms are text; times are integer milliseconds since the epoch; JSON is text.

CREATE TABLE person (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    locale TEXT,                    -- chosen by the person; NULL: as they write
    role TEXT NOT NULL,
    created_at INTEGER NOT NULL
) STRICT;

CREATE TABLE identity (
    platform TEXT NOT NULL,
    account TEXT NOT NULL,
    user_id TEXT NOT NULL,
    person INTEGER NOT NULL REFERENCES person (id),
    PRIMARY KEY (platform, account, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX identity_of_person ON identity (person);

-- The unit of order. wake_at is schedule, lease end and retry timer in one; NULL: nothing to do.
CREATE TABLE conversation (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL UNIQUE,
    place TEXT NOT NULL,
    wake_at INTEGER,
    rest_until INTEGER NOT NULL DEFAULT 0,
    owner TEXT,
    epoch INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE INDEX conversation_to_wake ON conversation (wake_at) WHERE wake_at IS NOT NULL;
CREATE INDEX conversation_held ON conversation (owner) WHERE owner IS NOT NULL;

-- state: 0 open, 2 done, 3 dead. held: the epoch of the lease that has it. answer: the id of the
-- message whose answer covers this one, from the moment that answer is written down.
CREATE TABLE inbox (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    dedupe TEXT NOT NULL UNIQUE,
    delivery TEXT UNIQUE,
    conversation INTEGER REFERENCES conversation (id),
    sender TEXT NOT NULL,
    origin TEXT NOT NULL,
    alone INTEGER NOT NULL,
    position INTEGER NOT NULL,
    due_at INTEGER NOT NULL,
    state INTEGER NOT NULL DEFAULT 0,
    attempt INTEGER NOT NULL DEFAULT 0,
    held INTEGER NOT NULL DEFAULT 0,
    answer INTEGER,
    outcome TEXT,
    body TEXT,
    raw TEXT NOT NULL,
    error TEXT NOT NULL DEFAULT '',
    reference TEXT NOT NULL DEFAULT '',
    received_at INTEGER NOT NULL,
    settled_at INTEGER
) STRICT;
CREATE INDEX inbox_line ON inbox (conversation, position, id) WHERE state = 0;
CREATE INDEX inbox_settled ON inbox (settled_at) WHERE settled_at IS NOT NULL;
CREATE INDEX inbox_dead ON inbox (id) WHERE state = 3;

-- Control that does not wait in the line; kept a while after it was taken, to know it again.
CREATE TABLE signal (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    delivery TEXT UNIQUE,
    conversation INTEGER NOT NULL REFERENCES conversation (id),
    kind TEXT NOT NULL,
    answer INTEGER,
    position INTEGER,
    key TEXT,
    text TEXT,
    received_at INTEGER NOT NULL,
    taken_at INTEGER
) STRICT;
CREATE INDEX signal_waiting ON signal (conversation) WHERE taken_at IS NULL;
CREATE INDEX signal_age ON signal (received_at);

-- A whole answer that is written down and not yet settled.
CREATE TABLE answer (
    id INTEGER PRIMARY KEY REFERENCES inbox (id) ON DELETE CASCADE,
    body TEXT NOT NULL,
    written_at INTEGER NOT NULL
) STRICT;

-- What stands on a screen for an answer. shown: hash of what was sent last.
CREATE TABLE reply (
    answer INTEGER NOT NULL REFERENCES inbox (id) ON DELETE CASCADE,
    part INTEGER NOT NULL,
    place TEXT NOT NULL,
    anchor TEXT NOT NULL,
    kind TEXT NOT NULL,
    frozen INTEGER NOT NULL,
    shown TEXT NOT NULL,
    PRIMARY KEY (answer, part)
) STRICT, WITHOUT ROWID;

CREATE TABLE memory (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    key TEXT NOT NULL UNIQUE,
    next_seq INTEGER NOT NULL,
    started_seq INTEGER NOT NULL DEFAULT 0
) STRICT;

-- Clustered: the newest turns of one memory lie on one to three pages.
CREATE TABLE turn (
    memory INTEGER NOT NULL REFERENCES memory (id),
    seq INTEGER NOT NULL,
    role TEXT NOT NULL,
    text TEXT NOT NULL,
    said_at INTEGER NOT NULL,
    name TEXT NOT NULL,
    tokens INTEGER NOT NULL,
    person INTEGER NOT NULL,
    PRIMARY KEY (memory, seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX turn_age ON turn (said_at);

CREATE TABLE ticket (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    person INTEGER NOT NULL,
    conversation TEXT NOT NULL,
    place TEXT NOT NULL,
    staff TEXT NOT NULL,
    reason TEXT NOT NULL,
    summary TEXT NOT NULL,
    answer INTEGER NOT NULL,
    opened_at INTEGER NOT NULL,
    closed_at INTEGER
) STRICT;
CREATE UNIQUE INDEX ticket_open ON ticket (person, conversation) WHERE closed_at IS NULL;

CREATE TABLE ledger (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    answer INTEGER NOT NULL,
    platform TEXT NOT NULL,
    account TEXT NOT NULL,
    person INTEGER NOT NULL,
    route TEXT NOT NULL,
    outcome TEXT NOT NULL,
    total_ms INTEGER NOT NULL,
    first_text_ms INTEGER,
    model TEXT NOT NULL,
    prompt_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL,
    cached_tokens INTEGER NOT NULL,
    reasoning_tokens INTEGER NOT NULL,
    tokens_estimated INTEGER NOT NULL,
    cost REAL,
    currency TEXT NOT NULL,
    edits INTEGER NOT NULL,
    throttled INTEGER NOT NULL,
    attempts INTEGER NOT NULL,
    finish TEXT NOT NULL,
    error TEXT NOT NULL,
    confidence REAL
) STRICT;
CREATE INDEX ledger_at ON ledger (at);

CREATE TABLE feedback (
    answer INTEGER NOT NULL,
    person INTEGER NOT NULL,
    good INTEGER NOT NULL,
    at INTEGER NOT NULL,
    PRIMARY KEY (answer, person)
) STRICT, WITHOUT ROWID;

CREATE TABLE gap (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    answer INTEGER NOT NULL,
    question TEXT NOT NULL,
    locale TEXT NOT NULL,
    confidence REAL,
    at INTEGER NOT NULL
) STRICT;
CREATE INDEX gap_at ON gap (at);

CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;

CREATE TABLE setting (
    key TEXT PRIMARY KEY,
    value TEXT NOT NULL
) STRICT, WITHOUT ROWID;
