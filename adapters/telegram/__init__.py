"""Telegram: what comes in as messages and signals, what goes out as sends and edits."""
