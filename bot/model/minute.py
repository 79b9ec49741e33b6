"""What a provider allows in a minute, in requests and in tokens. Pure: time is an argument."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

WINDOW = 60.0


@dataclass(slots=True)
class Taken:
    """One request of the last minute; its tokens are an estimate until they are known."""

    at: float
    tokens: int


class Minute:
    """The last sixty seconds held against the limits, of which 0 is none.

    In any sixty seconds no more requests leave than are allowed. Tokens are counted as they are
    known: a reply that is longer than was thought makes the next ones wait.
    """

    def __init__(self, *, requests: int = 0, tokens: int = 0) -> None:
        self._requests = requests
        self._tokens = tokens
        self._taken: deque[Taken] = deque()

    @property
    def weighs(self) -> bool:
        """Whether tokens count at all."""
        return self._tokens > 0

    def ready(self, tokens: int, *, now: float) -> float:
        """When a request of so many tokens may leave; a past time or now: at once.

        One that is above the limit by itself leaves when nothing else counts any more.
        """
        while self._taken and self._taken[0].at <= now - WINDOW:
            self._taken.popleft()
        at = now
        if 0 < self._requests <= len(self._taken):
            at = self._taken[-self._requests].at + WINDOW
        if self._tokens:
            over = sum(one.tokens for one in self._taken) + tokens - self._tokens
            for one in self._taken:
                if over <= 0:
                    break
                over -= one.tokens
                at = max(at, one.at + WINDOW)
        return at

    def take(self, tokens: int, *, now: float) -> Taken:
        """A request leaves."""
        taken = Taken(now, tokens)
        if self._requests or self._tokens:
            self._taken.append(taken)
        return taken
