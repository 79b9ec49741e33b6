"""The language model: client, layers, and the desk's own voice without one."""
