"""The platforms: each normalises what comes in, renders what goes out, and does the calls."""
