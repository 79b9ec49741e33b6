"""What the team knows: imported, indexed, found, and held against a measured confidence."""
