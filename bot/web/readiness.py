"""Whether the desk can serve: what /readyz says, and what it asks to know it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import msgspec

from bot.clock import Clock
from bot.errors import StorageError
from bot.types import ProviderHealth, value

FRESH_SECONDS = 5.0
"""One write to disk in this time at most, however often a stranger asks."""
PROBE_SECONDS = 3.0
"""A disk slower than this is no use to a platform that waits 3 s for us (Slack Events API)."""


@value
class Condition:
    """What the desk can do now. `storage` says why writes are refused; "" when they are not."""

    storage: str = ""
    draining: bool = False
    providers: tuple[ProviderHealth, ...] = ()

    @property
    def ready(self) -> bool:
        """It takes messages and answers them, be it with excerpts only."""
        return not self.storage and not self.draining

    @property
    def speaks(self) -> bool:
        """A model is there, as far as is known."""
        return any(one.state != "down" for one in self.providers)

    def body(self) -> bytes:
        """JSON for whoever asks: states and names, no error texts, since the listener is public."""
        return msgspec.json.encode(
            {
                "ready": self.ready,
                "answers": "written" if self.speaks else "excerpts",
                "storage": self.storage or "ok",
                "draining": self.draining,
                "providers": [_provider(one) for one in self.providers],
            }
        )


def _provider(health: ProviderHealth) -> dict[str, object]:
    return {
        "name": health.name,
        "state": health.state,
        "last_success": health.last_success,
        "latency_ms": health.latency_ms,
    }


class Readiness:
    """Looks at storage and providers when asked.

    `write` makes a small durable write and raises StorageError when that is refused; it is called
    once in five seconds at most. `providers` is `Model.health`: from real traffic, asks nobody.
    """

    def __init__(
        self,
        *,
        write: Callable[[], Awaitable[None]],
        providers: Callable[[], Sequence[ProviderHealth]],
        clock: Clock,
    ) -> None:
        self._write = write
        self._providers = providers
        self._clock = clock
        self._draining = False
        self._storage = ""
        self._fresh_until = float("-inf")
        self._asking = asyncio.Lock()

    def drain(self) -> None:
        """From now on not ready: the process ends soon, send nobody here."""
        self._draining = True

    async def condition(self) -> Condition:
        """How things stand; never raises for storage's trouble."""
        if not self._draining:
            await self._look()
        return Condition(
            storage=self._storage, draining=self._draining, providers=tuple(self._providers())
        )

    async def _look(self) -> None:
        async with self._asking:
            if self._clock.monotonic() < self._fresh_until:
                return
            self._storage = await self._refusal()
            self._fresh_until = self._clock.monotonic() + FRESH_SECONDS

    async def _refusal(self) -> str:
        try:
            async with asyncio.timeout(PROBE_SECONDS):
                await self._write()
        except StorageError as error:
            return type(error).__name__
        except TimeoutError:
            return "slow"
        return ""
