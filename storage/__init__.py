"""Where things are kept; SQL lives in sql/, tables in migrations/, and nowhere else."""
