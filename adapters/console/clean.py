"""Takes out of a text whatever would command a terminal instead of being read on it. Pure."""

from __future__ import annotations

import re

from bot.types import RichText

_SEQUENCES = re.compile(
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]?"  # CSI: colours, cursor, modes (ECMA-48, 5.4)
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"  # OSC, DCS …
    r"|\x1b[ -/]*[0-~]?"  # two-character sequences
)
_CONTROLS = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f"
    "\u200e\u200f\u202a-\u202e\u2066-\u2069]"  # direction marks: they reorder what is read
)


def clean(text: str) -> str:
    """The text without escape sequences, controls but newline and tab, and direction marks."""
    return _CONTROLS.sub("", _SEQUENCES.sub("", text.replace("\r\n", "\n")))


def clean_rich(content: RichText) -> RichText:
    """The same for marked text; one that had to be cleaned keeps no marks, as they would slip."""
    text = clean(content.text)
    return content if text == content.text else RichText(text=text)
