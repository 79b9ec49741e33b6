-- 1: taken by a lease that has not settled yet; should that lease die, the next one hears it again.
ALTER TABLE signal ADD COLUMN held INTEGER NOT NULL DEFAULT 0;
CREATE INDEX signal_held ON signal (conversation) WHERE held = 1;
