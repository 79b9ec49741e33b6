"""Where things are kept; SQL lives in sql/, tables in migrations/, and nowhere else."""

from storage.driver import MEMORY
from storage.stores import Stores, open_stores, stores

__all__ = ["MEMORY", "Stores", "open_stores", "stores"]
