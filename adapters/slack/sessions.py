"""Agent sessions: Slack shows that a thread is worked on, with a Stop button of its own.

A courtesy beside the answer: nothing waits for it, and no answer fails by it. While a session is
`processing`, a press of that button comes in as `agent_session_stopped`.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Literal

from adapters.slack.calls import Calls
from bot.clock import Clock
from bot.errors import PlatformBusy, PlatformError, PlatformUnavailable
from bot.types import ConversationId, Place

Status = Literal["processing", "active"]

METHOD = "agents.sessions.setStatus"
REFUSED_SECONDS = 3600.0
"""How long a channel that has no sessions is left alone."""
KNOWN = 1_000
"""Threads whose status is remembered, and channels that refused one."""

log = logging.getLogger("frontdesk.slack")


class Sessions:
    """The status of direct-message threads; calls of one thread follow each other in order."""

    def __init__(self, calls: Calls, clock: Clock) -> None:
        self._calls = calls
        self._clock = clock
        self._wanted: dict[ConversationId, Status] = {}
        self._telling: dict[ConversationId, asyncio.Task[None]] = {}
        self._refused: dict[str, float] = {}

    def show(self, place: Place, status: Status) -> None:
        """Have the thread show this status soon. Does nothing where there are no sessions."""
        thread = place.conversation
        if not place.private or place.whispered or not place.thread:
            return
        if self._refused.get(place.channel, float("-inf")) > self._clock.monotonic():
            return
        if self._wanted.get(thread) == status:
            return
        if len(self._wanted) >= KNOWN:
            self._wanted.pop(next(iter(self._wanted)))
        self._wanted[thread] = status
        if thread not in self._telling:
            task = asyncio.create_task(self._tell(place))
            self._telling[thread] = task
            task.add_done_callback(lambda _: self._telling.pop(thread, None))

    async def close(self) -> None:
        """Tell the statuses that end an answer; the others are not worth a wait."""
        tasks = list(self._telling.values())
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=1.0)
            for task in late:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _tell(self, place: Place) -> None:
        """Until Slack was told what is wanted last."""
        thread, told = place.conversation, None
        while (status := self._wanted.get(thread)) not in (None, told):
            asked = {"channel_id": place.channel, "thread_ts": place.thread, "status": status}
            try:
                await self._calls.call(METHOD, asked, final=status == "active")
            except (PlatformBusy, PlatformUnavailable):
                pass  # a later change of status may come through
            except PlatformError as error:
                log.info("no agent sessions in %s: %s", place.channel, error)
                if len(self._refused) >= KNOWN:
                    self._refused.clear()
                self._refused[place.channel] = self._clock.monotonic() + REFUSED_SECONDS
                self._wanted.pop(thread, None)
            told = status
