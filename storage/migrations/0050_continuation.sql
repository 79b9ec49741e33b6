-- An answer that goes on with an earlier one, which broke off; each is gone on with once.
CREATE TABLE continuation (
    answer INTEGER PRIMARY KEY,
    continues INTEGER NOT NULL UNIQUE
) STRICT;
CREATE INDEX ledger_broken_off ON ledger (answer) WHERE finish IN ('cut', 'truncated');
