"""Wake-ups inside one process: who waits for a name hears it ring once."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

WORK = ""
"""Something may be due somewhere; no conversation has this name."""


class Bells:
    """Rings reach only those who were listening; look at the store after you began to listen.

    `rings` counts them: who looked before, and finds the count unchanged, need not look again.
    """

    def __init__(self) -> None:
        self.rings = 0
        self._listeners: dict[str, set[asyncio.Future[None]]] = {}

    def ring(self, name: str) -> None:
        """Wake everybody who listens for this name now."""
        self.rings += name != WORK
        for listener in self._listeners.pop(name, ()):
            if not listener.done():
                listener.set_result(None)

    @contextmanager
    def listening(self, name: str) -> Iterator[asyncio.Future[None]]:
        """A future that is done once the name rings; nothing stays behind when the block ends."""
        rung: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._listeners.setdefault(name, set()).add(rung)
        try:
            yield rung
        finally:
            rung.cancel()
            if others := self._listeners.get(name):
                others.discard(rung)
                if not others:
                    del self._listeners[name]


async def within(rung: asyncio.Future[None], seconds: float) -> bool:
    """Wait for a ring at most so long; True when it came."""
    if seconds > 0 and not rung.done():
        await asyncio.wait([rung], timeout=seconds)
    return rung.done()
