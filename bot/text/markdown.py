"""From what was written (Markdown) to what is shown (plain text and marks)."""

from __future__ import annotations

import re

from bot.types import RichText

_FENCE = re.compile(r"^ {0,3}(`{3,}|~{3,})([^\n]*)$", re.MULTILINE)


class Markdown:
    """The rendering of one growing text."""

    def __call__(self, text: str, *, final: bool) -> RichText:
        """The rich text; not `final`: the end is still open."""
        return RichText(text=text.strip("\n").rstrip())


def render(text: str, *, final: bool = True) -> RichText:
    """The rendering of a text that is settled, or of one as it stands now."""
    return Markdown()(text, final=final)


def closed(text: str) -> str:
    """The text with its last code fence closed, so that more can be written after it."""
    fence = ""
    for match in _FENCE.finditer(text):
        run, info = match.group(1), match.group(2)
        if not fence:
            fence = run if run[0] == "~" or "`" not in info else ""
        elif run[0] == fence[0] and len(run) >= len(fence) and not info.strip():
            fence = ""
    return f"{text.rstrip()}\n{fence}" if fence else text
