"""The desk as a process that dies at its n-th call to storage or platform.

    python -m tests.faults.crashing N before|after

`before`: the call never takes effect; `after`: it does, and nobody hears of it.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from adapters.slack.calls import Calls
from adapters.telegram.request import AiohttpRequest
from bot.cli import main
from storage.sqlite import SqliteDatabase

REACHED = Path("reached")
"""Stands in the working directory once the last call has begun."""
CRASHED = 137
"""As a shell reports a SIGKILL."""


class Countdown:
    """Ends the process at the n-th call, with no cleanup at all."""

    def __init__(self, calls: int, *, after: bool) -> None:
        self._left = calls
        self._after = after

    @staticmethod
    def _note() -> None:
        """The last call may be a long poll, which ends only when somebody says something."""
        REACHED.touch()

    def around(self, function: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        """The same function, counted."""

        async def counted(*args: Any, **kwargs: Any) -> Any:
            self._left -= 1
            last = self._left == 0
            if last and not self._after:
                os._exit(CRASHED)
            if last:
                self._note()
            result = await function(*args, **kwargs)
            if last:
                os._exit(CRASHED)
            return result

        return counted


if __name__ == "__main__":
    countdown = Countdown(int(sys.argv[1]), after=sys.argv[2] == "after")
    for owner, name in (
        (SqliteDatabase, "write"),
        (SqliteDatabase, "read"),
        (AiohttpRequest, "do_request"),
        (Calls, "_api"),
    ):
        setattr(owner, name, countdown.around(getattr(owner, name)))
    main(["run"])
