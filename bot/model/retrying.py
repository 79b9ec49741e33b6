"""Asks a model again: freely before the first visible text, once after it."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import replace

from tenacity import AsyncRetrying, AttemptManager, RetryCallState, retry_if_exception

from bot.clock import Clock
from bot.errors import ContentBlocked, ModelBusy, ModelError, ReplyCut, ReplyEmpty, ReplyRetracted
from bot.model.tokens import prompt_tokens, tokens
from bot.ports import Model
from bot.types import (
    ChatRequest,
    ModelDone,
    ModelEvent,
    ModelReset,
    ModelText,
    ProviderHealth,
    ToolCall,
    Usage,
)

RETRIES = 2
"""Per model, before the first visible text (DESIGN 6)."""
JITTER_FIRST, JITTER_MAX = 0.5, 8.0
ASKED_MAX = 20.0
"""A longer Retry-After is not slept away: the next model, or the inbox, is asked instead."""
PACE_LEAST, PACE_MOST = 1.0, 4.0
"""Seconds to wait after "too fast" without a hint; the provider never sends one."""


class RetryBudget:
    """How many retries an outage may cost: 3, and 10 % of the requests, within a minute. Pure."""

    WINDOW = 60.0
    FLOOR = 3
    SHARE = 0.1

    def __init__(self) -> None:
        self._requests: deque[float] = deque()
        self._retries: deque[float] = deque()

    def asked(self, now: float) -> None:
        """A request, not a retry, is made."""
        self._requests.append(now)
        self._trim(now)

    def spend(self, now: float) -> bool:
        """Take one retry out of the budget; False when it is used up."""
        self._trim(now)
        if len(self._retries) >= self.FLOOR + self.SHARE * len(self._requests):
            return False
        self._retries.append(now)
        return True

    def _trim(self, now: float) -> None:
        for times in (self._requests, self._retries):
            while times and times[0] <= now - self.WINDOW:
                times.popleft()


def pause(error: BaseException | None, retry: int, random: Callable[[], float]) -> float:
    """Seconds before retry number `retry` (from 1): what the provider asked, else jitter."""
    if isinstance(error, ModelError) and error.retry_after is not None:
        return error.retry_after + random() * JITTER_FIRST
    if isinstance(error, ModelBusy) and error.code in {"1302", "1303"}:
        return PACE_LEAST + random() * (PACE_MOST - PACE_LEAST)
    return random() * min(JITTER_MAX, JITTER_FIRST * 2.0 ** (retry - 1))


def worth_retrying(error: BaseException | None, retry: int) -> bool:
    """Whether the same model may do better in some seconds; `retry` counts from 1."""
    if not isinstance(error, ModelError) or not error.retryable or isinstance(error, ReplyCut):
        return False
    if (error.retry_after or 0.0) > ASKED_MAX:
        return False
    overloaded = isinstance(error, ModelBusy) and error.overloaded
    once = overloaded or isinstance(error, ReplyEmpty) or error.code == "slow"
    return retry <= (1 if once else RETRIES)


class Retrying:
    """A model that is asked again.

    Before visible text: at most twice, within budget and deadline, and with other thinking after
    an empty reply. After it: a cut is asked again once, announced by ModelReset; when that is cut
    too the longer text is kept and ModelDone says "cut". `random` gives numbers from 0 to 1.
    """

    def __init__(
        self,
        model: Model,
        clock: Clock,
        *,
        random: Callable[[], float],
        budget: RetryBudget | None = None,
        thinking: bool | None = None,
    ) -> None:
        self.name = model.name
        self._model = model
        self._clock = clock
        self._random = random
        self._budget = budget or RetryBudget()
        self._thinking = thinking

    def health(self) -> tuple[ProviderHealth, ...]:
        return self._model.health()

    async def close(self) -> None:
        await self._model.close()

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ModelEvent, None]:
        self._budget.asked(self._clock.monotonic())
        retries: _Retries | None = None
        number = 1
        while True:
            said = _Said()
            try:
                async with aclosing(self._model.stream(request)) as events:
                    async for event in events:
                        said.note(event)
                        yield _numbered(event, number)
            except ReplyRetracted:
                raise
            except ModelError as error:
                if said.text:
                    break
                retries = retries or _Retries(self._policy(request))
                number = await retries.after(error)
                request = self._rethought(request, error)
            else:
                return
        async with aclosing(self._again(request, said, number)) as events:
            async for event in events:
                yield event

    async def _again(
        self, request: ChatRequest, first: _Said, number: int
    ) -> AsyncGenerator[ModelEvent, None]:
        """The stream was cut after text: ask once more, and keep the longer of the two."""
        second = _Said()
        if await self._rest(request):
            number += 1
            try:
                async with aclosing(self._model.stream(request)) as events:
                    async for event in events:
                        second.note(event)
                        if second.pieces and not second.announced:
                            second.announced = True
                            yield ModelReset()
                        yield _numbered(event, number)
            except ContentBlocked as error:
                raise ReplyRetracted(str(error), code=error.code) from error
            except ModelError:
                if second.announced and len(second.text) < len(first.text):
                    yield ModelReset()
                    yield ModelText(delta=first.text)
            else:
                return
        kept = max(first.text, second.text, key=len)
        usage = Usage(prompt=prompt_tokens(request.turns), completion=tokens(kept), estimated=True)
        yield ModelDone(finish="cut", usage=usage, model=self.name, attempts=number)

    async def _rest(self, request: ChatRequest) -> bool:
        """Wait a moment before asking anew; False when there is no time or budget for it."""
        seconds = pause(None, 1, self._random)
        if self._late(request, seconds) or not self._budget.spend(self._clock.monotonic()):
            return False
        await self._clock.sleep(seconds)
        return True

    def _policy(self, request: ChatRequest) -> AsyncRetrying:
        def stop(state: RetryCallState) -> bool:
            return (
                not worth_retrying(_error(state), state.attempt_number)
                or self._late(request, state.upcoming_sleep)
                or not self._budget.spend(self._clock.monotonic())
            )

        return AsyncRetrying(
            sleep=self._clock.sleep,
            retry=retry_if_exception(lambda error: isinstance(error, ModelError)),
            wait=lambda state: pause(_error(state), state.attempt_number, self._random),
            stop=stop,
            reraise=True,
        )

    def _late(self, request: ChatRequest, seconds: float) -> bool:
        return (
            request.deadline is not None and self._clock.monotonic() + seconds >= request.deadline
        )

    def _rethought(self, request: ChatRequest, error: ModelError) -> ChatRequest:
        """After an empty reply the other effort is tried: thinking may have eaten all tokens."""
        if not isinstance(error, ReplyEmpty):
            return request
        wanted = self._thinking if request.thinking is None else request.thinking
        return replace(request, thinking=wanted is False)


class _Retries:
    """What the policy says about one request. Most never need it, and making it takes time."""

    def __init__(self, policy: AsyncRetrying) -> None:
        self._attempts = aiter(policy)
        self._attempt: AttemptManager | None = None

    async def after(self, error: ModelError) -> int:
        """Rest as long as that asks for; the number of the attempt that follows.

        Raises `error` when none does.
        """
        if self._attempt is None:
            self._attempt = await anext(self._attempts)
        self._attempt.retry_state.set_exception((type(error), error, error.__traceback__))
        self._attempt = await anext(self._attempts)
        return self._attempt.retry_state.attempt_number


class _Said:
    """What a stream has said so far."""

    def __init__(self) -> None:
        self.pieces: list[str] = []
        self.announced = False

    def note(self, event: ModelEvent) -> None:
        """One more event of it."""
        if type(event) is ModelText:
            self.pieces.append(event.delta)
        elif type(event) is ToolCall:
            self.pieces.append(event.arguments)

    @property
    def text(self) -> str:
        return "".join(self.pieces)


def _numbered(event: ModelEvent, attempts: int) -> ModelEvent:
    """With the number of the attempt; it is made with that of the first."""
    return replace(event, attempts=attempts) if attempts > 1 and type(event) is ModelDone else event


def _error(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None
