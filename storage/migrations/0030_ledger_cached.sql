-- The answer came from the desk's own cache: no model was asked.
ALTER TABLE ledger ADD COLUMN cached INTEGER NOT NULL DEFAULT 0;
-- What the statistics of a time read besides the ledger.
CREATE INDEX feedback_at ON feedback (at);
