"""Frontdesk: a support desk that lives where people already talk."""

__version__ = "0.1.0"
