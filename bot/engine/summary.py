"""Rolling summaries: what was said long ago, in a few sentences, made behind the scenes.

A summary is derived from turns that are on disk, so nothing about it must survive a crash: what
was not made is noticed again after the next answer. That is why it is no inbox row.
"""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Sequence

import structlog

from bot.clock import Clock
from bot.engine import prompts
from bot.engine.history import Estimate
from bot.engine.whole import whole
from bot.errors import BotError
from bot.ports import Model, Summaries
from bot.types import ChatRequest, MemoryId, Turn

log = structlog.get_logger()

TOKENS_DUE = 3_000
TURNS_DUE = 12
"""Unsummarised turns beyond those kept as they are: so many tokens or turns make a summary due.
Fewer tokens would ask the model for a summary every other answer where answers are long."""
TURNS_READ = 60
"""Turns in one call; a longer backlog takes several."""
TURN_CHARACTERS = 1_500
"""Of one turn: the gist of a long answer stands at its beginning."""
SUMMARY_TOKENS = 400
SUMMARY_CHARACTERS = 3_000
SECONDS = 60.0
"""For one summary; nobody waits for it."""
WAITING_MAX = 1_000
"""Memories in the line; the longest-waiting are dropped, and come back with their next turn."""


def due(
    turns: Sequence[tuple[int, Turn]], *, keep: int, estimate: Estimate
) -> Sequence[tuple[int, Turn]]:
    """The turns that a summary should cover now: all but the newest `keep`, or none yet. Pure.

    The cut falls before a user's turn, so that no exchange is torn.
    """
    end = max(0, len(turns) - keep)
    while 0 < end < len(turns) and turns[end][1].role != "user":
        end -= 1
    old = turns[:end]
    weight = sum(turn.tokens or estimate(turn.text) for _, turn in old)
    return old if len(old) >= TURNS_DUE or weight > TOKENS_DUE else ()


def pause(turns: Sequence[tuple[int, Turn]], *, keep: int, estimate: Estimate) -> int:
    """How many more exchanges until a summary may be due: before that nobody need look. Pure.

    At least 1. What falls out of the newest `keep` is known already, so this is no guess.
    """
    rest = keep // 2
    later = (n for n in range(1, rest) if due(turns, keep=keep - 2 * n, estimate=estimate))
    return next(later, max(1, rest))


class Summariser:
    """Keeps the summaries of long conversations up to date, one at a time.

    `keep` newest turns are left as they are. Whatever fails is logged and tried again after the
    next answer in that conversation.
    """

    def __init__(
        self,
        summaries: Summaries,
        model: Model,
        clock: Clock,
        *,
        estimate: Estimate,
        history_turns: int,
    ) -> None:
        self._summaries = summaries
        self._model = model
        self._clock = clock
        self._estimate = estimate
        # What is due together with what is kept fills the window, so that no turn is ever in
        # neither of the two.
        self._keep = max(2, history_turns - TURNS_DUE)
        self._waiting: OrderedDict[MemoryId, None] = OrderedDict()
        self._pauses: OrderedDict[MemoryId, int] = OrderedDict()
        self._news = asyncio.Event()

    def offer(self, memory: MemoryId) -> None:
        """There is another exchange in this memory. Never waits, never raises."""
        if (left := self._pauses.pop(memory, 1)) > 1:
            self._pauses[memory] = left - 1
            return
        self._waiting[memory] = None
        while len(self._waiting) > WAITING_MAX:
            self._waiting.popitem(last=False)
        self._news.set()

    async def run(self) -> None:
        """Work until cancelled."""
        while True:
            await self._news.wait()
            self._news.clear()
            while self._waiting:
                memory, _ = self._waiting.popitem(last=False)
                try:
                    await self.update(memory)
                except (BotError, TimeoutError) as error:
                    log.info("summary_failed", memory=memory, kind=type(error).__name__)

    async def update(self, memory: MemoryId) -> bool:
        """Summarise one memory if that is due; whether a summary was made. Raises BotError."""
        if (rest := self._keep - await self._summaries.backlog(memory)) >= 0:
            self._rest(memory, rest // 2 + 1)
            return False
        turns = await self._summaries.uncovered(memory, TURNS_READ)
        old = due(turns, keep=self._keep, estimate=self._estimate)
        if not old:
            self._rest(memory, pause(turns, keep=self._keep, estimate=self._estimate))
            return False
        before = await self._summaries.last(memory)
        async with asyncio.timeout(SECONDS):
            text = await self._written(before.text if before else "", [turn for _, turn in old])
        if not text:
            return False
        await self._summaries.put(memory, text, through=old[-1][0])
        return True

    def _rest(self, memory: MemoryId, exchanges: int) -> None:
        self._pauses[memory] = exchanges
        while len(self._pauses) > WAITING_MAX:
            self._pauses.popitem(last=False)

    async def _written(self, before: str, turns: Sequence[Turn]) -> str:
        """The model's summary, in the language of the conversation."""
        request = ChatRequest(
            turns=prompts.summary(before, turns, most=TURN_CHARACTERS),
            temperature=0.2,
            max_tokens=SUMMARY_TOKENS,
            thinking=False,
            deadline=self._clock.monotonic() + SECONDS,
        )
        text, _ = await whole(self._model, request)
        return text[:SUMMARY_CHARACTERS]
