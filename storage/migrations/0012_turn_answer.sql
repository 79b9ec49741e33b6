-- Which answer a turn belongs to, so that a person can have their own answer shown to others.
-- NULL: said among others, or kept before this column was.
ALTER TABLE turn ADD COLUMN answer INTEGER;
