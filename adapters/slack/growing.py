"""Where answers are growing in direct messages: what a stop typed beside their threads is about."""

from __future__ import annotations

from bot.clock import Clock
from bot.types import Frame, Place

KNOWN = 1_000
"""Threads at once; the oldest is forgotten first."""
GROWING_SECONDS = 600.0
"""An answer that was never finished here is none that grows any more."""


class Growing:
    """Threads of direct messages that show an unfinished answer. Forgotten with the process."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._seen: dict[tuple[str, str], float] = {}

    def note(self, place: Place, frame: Frame) -> None:
        """Learn what is shown there now."""
        if not place.private or place.whispered or not place.thread:
            return
        thread = place.channel, place.thread
        if frame.final and not frame.grows:
            self.forget(place)
            return
        if thread not in self._seen and len(self._seen) >= KNOWN:
            self._seen.pop(next(iter(self._seen)))
        self._seen[thread] = self._clock.monotonic()

    def forget(self, place: Place) -> None:
        """No answer grows there any more."""
        self._seen.pop((place.channel, place.thread or ""), None)

    def newest(self, channel: str) -> str | None:
        """The thread there in which the latest answer began that grows yet."""
        young = self._clock.monotonic() - GROWING_SECONDS
        threads = (thread for thread, at in self._seen.items() if at > young)
        return max((root for where, root in threads if where == channel), key=float, default=None)
