-- The groups of users that the settings name and somebody's last message came with, a comma between.
ALTER TABLE identity ADD COLUMN user_groups TEXT NOT NULL DEFAULT '';
