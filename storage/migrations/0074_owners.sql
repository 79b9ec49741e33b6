-- Why somebody is kept out, and since when; NULL: not, or since before this was written down.
ALTER TABLE person ADD COLUMN banned_at INTEGER;
ALTER TABLE person ADD COLUMN ban_reason TEXT NOT NULL DEFAULT '';
CREATE INDEX person_blocked ON person (id) WHERE role = 'blocked';

-- stopped_at: nobody else gets it from then on. left_out: who had no row in any line by then.
ALTER TABLE broadcast ADD COLUMN stopped_at INTEGER;
ALTER TABLE broadcast ADD COLUMN left_out INTEGER NOT NULL DEFAULT 0;
CREATE INDEX broadcast_line_of ON broadcast_line (message);
