"""The terminal as a platform: a live chat at a keyboard, plain lines through a pipe."""

from adapters.console.adapter import ConsoleAdapter, TerminalAdapter, open_console

__all__ = ["ConsoleAdapter", "TerminalAdapter", "open_console"]
