"""Flood control as the Bot API's users meet it: 20 a minute in a group, about 1/s in private."""

from __future__ import annotations

import math

GROUP = ((20, 60.0),)
PRIVATE = ((5, 2.0), (12, 10.0), (30, 60.0))
DRAFTS = ((20, 5.0), (40, 30.0))
"""At most so many calls in so many seconds. Drafts are counted apart."""
IGNORED_SECONDS = 5.0
"""How much longer a ban gets with each call that ignores it."""


class Flood:
    """Counts the calls of each chat, and punishes."""

    def __init__(
        self,
        private: tuple[tuple[int, float], ...] = PRIVATE,
        group: tuple[tuple[int, float], ...] = GROUP,
    ) -> None:
        self._windows = {True: private, False: group}
        self.refusals = 0
        self.ignored = 0
        self._times: dict[int, list[float]] = {}
        self._banned_until: dict[int, float] = {}

    def ban(self, chat: int, now: float, seconds: float) -> None:
        """Refuse every call to this chat for a while, whatever its rate."""
        self._banned_until[chat] = now + seconds

    def admit(self, chat: int, now: float, *, private: bool) -> int | None:
        """None if the call may pass; else the `retry_after` of its refusal, which is truthful."""
        banned = self._banned_until.get(chat, 0.0)
        if now < banned:
            self.ignored += 1
            self._banned_until[chat] = banned + IGNORED_SECONDS
            return self._refuse(chat, now)
        times = self._times.setdefault(chat, [])
        times[:] = [at for at in times if now - at < 60.0]
        for most, seconds in self._windows[private]:
            inside = [at for at in times if now - at < seconds]
            if len(inside) >= most:
                self._banned_until[chat] = max(inside[0] + seconds, now + 1.0)
                return self._refuse(chat, now)
        times.append(now)
        return None

    def _refuse(self, chat: int, now: float) -> int:
        self.refusals += 1
        return math.ceil(self._banned_until[chat] - now)
