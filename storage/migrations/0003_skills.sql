-- What a command asked its person and has no answer to yet: at most one for each memory.
CREATE TABLE form (
    person INTEGER NOT NULL,
    memory TEXT NOT NULL,
    word TEXT NOT NULL,
    given TEXT NOT NULL,
    locale TEXT NOT NULL,
    until INTEGER NOT NULL,
    PRIMARY KEY (person, memory)
) STRICT, WITHOUT ROWID;

-- One row for each use of a skill: what daily quotas count.
CREATE TABLE skill_use (
    person INTEGER NOT NULL,
    skill TEXT NOT NULL,
    at INTEGER NOT NULL,
    answer INTEGER NOT NULL,
    PRIMARY KEY (person, skill, at, answer)
) STRICT, WITHOUT ROWID;

-- The turns up to summarised_seq in a few sentences; of no use once started_seq is beyond it.
ALTER TABLE memory ADD COLUMN summary TEXT NOT NULL DEFAULT '';
ALTER TABLE memory ADD COLUMN summarised_seq INTEGER NOT NULL DEFAULT -1;
