"""The only file that reads a clock; everything else is given the time."""

from __future__ import annotations

import asyncio
import time
from typing import Protocol


class Clock(Protocol):
    """Wall time for what is stored, monotonic time for deadlines inside the process."""

    def now(self) -> int:
        """Milliseconds since the epoch."""
        ...

    def monotonic(self) -> float:
        """Seconds that never go back and do not jump with the wall clock."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Rest this task; the only sleep in the house."""
        ...


class SystemClock:
    """The machine's clocks.

    Monotonic is CLOCK_BOOTTIME where there is one: a suspended machine must find its leases
    lapsed when it wakes.
    """

    def now(self) -> int:
        """Milliseconds since the epoch."""
        return time.time_ns() // 1_000_000

    def monotonic(self) -> float:
        """Seconds since boot, time asleep included where the system tells it."""
        if hasattr(time, "CLOCK_BOOTTIME"):
            return time.clock_gettime(time.CLOCK_BOOTTIME)
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Rest this task."""
        await asyncio.sleep(seconds)
