"""Checks what an answer cites while it streams: numbers nobody gave are taken out; pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bot.types import Citation

# A model also writes 【1】 and [1, 2]; both are read, and shown as [1] and [1][2].
_MARK = re.compile(r"[\[【]\s*(\d{1,3}(?:\s*[,，、]\s*\d{1,3})*)\s*[\]】]")
_OPEN = re.compile(r"[\[【][\d\s,，、]{0,40}$")


class CitationFilter:
    """Feed it deltas; it gives back text in which only the citations on offer stand.

    Text that may be the beginning of a mark is held back until it is decided.
    """

    def __init__(self, offered: Sequence[Citation]) -> None:
        self._offered = {citation.number: citation for citation in offered}
        self._held = ""
        self._cited: dict[int, None] = {}

    @property
    def cited(self) -> tuple[Citation, ...]:
        """What was cited so far, in the order of the numbers."""
        return tuple(self._offered[number] for number in sorted(self._cited))

    def feed(self, delta: str) -> str:
        """The text that is decided now."""
        text = self._held + delta
        self._held = ""
        if opened := _OPEN.search(text):
            self._held = text[opened.start() :]
            text = text[: opened.start()]
        return _MARK.sub(self._check, text)

    def flush(self) -> str:
        """What was held back, at the end of the stream."""
        held, self._held = self._held, ""
        return held

    def _check(self, mark: re.Match[str]) -> str:
        """The mark with only the numbers that were on offer."""
        numbers = [int(number) for number in re.findall(r"\d+", mark.group(1))]
        known = [number for number in numbers if number in self._offered]
        self._cited.update(dict.fromkeys(known))
        return "".join(f"[{number}]" for number in known)


def cites(text: str) -> bool:
    """Whether a text that passed the filter names a passage."""
    return _MARK.search(text) is not None


def footer(cited: Sequence[Citation], heading: str) -> str:
    """The lines under an answer that say where it comes from; empty without citations."""
    if not cited:
        return ""
    lines = []
    for citation in cited:
        title = citation.title or citation.source
        where = citation.url or (citation.source if citation.source != title else "")
        lines.append(f"[{citation.number}] {title}" + (f" — {where}" if where else ""))
    return "\n\n" + heading + "\n" + "\n".join(lines)


def without_footer(text: str, heading: str) -> str:
    """What stood before `footer` was added."""
    at = text.rfind(f"\n\n{heading}\n")
    lines = text[at:].strip().splitlines()[1:] if at >= 0 else []
    return text[:at] if lines and all(_MARK.match(line) for line in lines) else text
