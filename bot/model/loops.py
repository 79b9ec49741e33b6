"""Notices a model that says the same for ever. Pure."""

from __future__ import annotations

WINDOW = 2_000
"""Characters of the tail that are looked at."""
STEP = 512
"""New characters between two looks, so that the guard costs next to nothing per chunk."""
PERIOD_MAX = 200
REPEATS = 8
"""More repetitions of one unit than this are a loop…"""
SPAN = 480
"""…when they cover this many characters: a ruler of dashes or a table's edge is none."""
_PROBE = 16


class LoopGuard:
    """Fed with the visible text; tells once the tail only repeats itself."""

    def __init__(self) -> None:
        self._tail = ""
        self._fresh = 0

    def feed(self, text: str) -> bool:
        """True when the text has run into a loop."""
        self._tail += text
        self._fresh += len(text)
        if self._fresh < STEP:
            return False
        self._fresh = 0
        self._tail = self._tail[-WINDOW:]
        return period(self._tail) is not None


def period(tail: str) -> int | None:
    """The length of the unit that `tail` ends in, again and again; None when it does not.

    Only where the last few characters stand once more can a unit begin, and finding those is one
    search in C: hundreds of times as fast as trying every length.
    """
    if len(tail) < SPAN:
        return None
    probe = tail[-_PROBE:]
    lowest, end = max(0, len(tail) - _PROBE - PERIOD_MAX), len(tail) - 1
    while (start := tail.rfind(probe, lowest, end)) >= 0:
        length = len(tail) - _PROBE - start
        span = max((REPEATS + 1) * length, SPAN)
        if span <= len(tail) and tail[-span:-length] == tail[length - span :]:
            return length
        end = start + _PROBE - 1
    return None
