-- How many characters of an answer's text a message of ours shows; NULL: not known.
ALTER TABLE reply ADD COLUMN size INTEGER;
