"""A chain of models: the first that is well and willing answers."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace

from bot.clock import Clock
from bot.errors import (
    ContentBlocked,
    ModelBusy,
    ModelError,
    ModelRefused,
    ModelUnavailable,
    QuotaSpent,
    ReplyRetracted,
    TooLong,
)
from bot.model.failures import OUR_REQUEST
from bot.ports import Model
from bot.types import (
    ChatRequest,
    ModelDone,
    ModelEvent,
    ModelText,
    ProviderHealth,
    ToolCall,
)

FAILURES = 5
"""In a row, until a model is left alone (DESIGN 6)."""
WINDOW = 20
"""…or more than half of this many."""
OPEN_FIRST, OPEN_MAX = 30.0, 300.0

Report = Callable[[str, ModelError], None]
"""Told of each failure that another model has to make good."""


def log_failure(name: str, error: ModelError) -> None:
    """To the log: as an error where a person must look."""
    import structlog  # a batch needs it only now; it costs half of what aiohttp does

    log = structlog.get_logger()
    say = log.error if error.alert else log.warning
    say("model_failed", model=name, kind=type(error).__name__, code=error.code, detail=str(error))


class Breaker:
    """Leaves a failing model alone for a while, then tries it with one request. Pure."""

    def __init__(self) -> None:
        self.until = float("-inf")
        self.reason: ModelError | None = None
        self._row = 0
        self._recent: deque[bool] = deque(maxlen=WINDOW)
        self._seconds = OPEN_FIRST
        self._probing = False

    def open(self, now: float) -> bool:
        """Whether the model is being left alone."""
        return self.reason is not None and now < self.until

    def admits(self, now: float) -> bool:
        """Whether a request may try; after an open time only one may, until it has ended."""
        if self.reason is None:
            return True
        if now < self.until or self._probing:
            return False
        self._probing = True
        return True

    def released(self) -> None:
        """The request that `admits` let in has ended, however."""
        self._probing = False

    def succeeded(self) -> None:
        """The model served a request, or judged it: it is well."""
        self.reason = None
        self._row = 0
        self._seconds = OPEN_FIRST
        self._recent.append(False)

    def failed(self, error: ModelError, now: float) -> None:
        """The model failed; what it failed with decides how long it is left alone.

        A call that was under way when the others had opened the breaker adds nothing.
        """
        if self.open(now):
            return
        self._row += 1
        self._recent.append(True)
        if isinstance(error, ModelRefused):
            self._open(error, now, error.retry_after or OPEN_MAX)
        elif self._tripped(error):
            self._open(error, now, max(self._seconds, error.retry_after or 0.0))
            self._seconds = min(self._seconds * 2, OPEN_MAX)

    def _tripped(self, error: ModelError) -> bool:
        half = len(self._recent) == WINDOW and sum(self._recent) * 2 > WINDOW
        overloaded = isinstance(error, ModelBusy) and error.overloaded
        return self.reason is not None or overloaded or self._row >= FAILURES or half

    def _open(self, error: ModelError, now: float, seconds: float) -> None:
        self.reason = error
        self.until = now + seconds
        self._recent.clear()


def provider_is_well(error: ModelError) -> bool:
    """Whether the error is a verdict on the request rather than on the provider."""
    if isinstance(error, ModelRefused) and not isinstance(error, QuotaSpent):
        return error.code in OUR_REQUEST
    return isinstance(error, ContentBlocked | TooLong)


def final(error: ModelError) -> bool:
    """Whether no other model should be asked: the text must not be, or must be shrunk first."""
    return isinstance(error, ContentBlocked | ReplyRetracted | TooLong)


class Fallback:
    """A chain that is one model. Once text was shown its author finishes or fails alone.

    Raises, when all fail, the first failure that may pass, else the first.
    """

    def __init__(
        self, models: Sequence[Model], clock: Clock, *, report: Report = log_failure
    ) -> None:
        self.name = models[0].name
        self._links = [(model, Breaker()) for model in models]
        self._clock = clock
        self._report = report

    def health(self) -> tuple[ProviderHealth, ...]:
        """Of each link in order; one that is left alone is down."""
        now = self._clock.monotonic()
        return tuple(
            replace(health, state="down") if breaker.open(now) else health
            for model, breaker in self._links
            for health in model.health()
        )

    async def close(self) -> None:
        for model, _ in self._links:
            await model.close()

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ModelEvent, None]:
        failures: list[ModelError] = []
        for model, breaker in self._links:
            now = self._clock.monotonic()
            if failures and request.deadline is not None and now >= request.deadline:
                break
            if not breaker.admits(now):
                failures.append(_left_alone(breaker, now))
                continue
            shown = False
            try:
                async with aclosing(model.stream(request)) as events:
                    async for event in events:
                        shown = shown or type(event) in {ModelText, ToolCall}
                        if type(event) is ModelDone:
                            self._ended(breaker, event)
                        yield event
            except ModelError as error:
                self._broke(breaker, error)
                self._report(model.name, error)
                if shown or final(error):
                    raise
                failures.append(error)
            else:
                return
            finally:
                breaker.released()
        raise _verdict(failures)

    def _broke(self, breaker: Breaker, error: ModelError) -> None:
        """What a failure says of its model."""
        if provider_is_well(error):
            breaker.succeeded()
        elif error.code != "paced":  # our own queue was too long; it was not even asked
            breaker.failed(error, self._clock.monotonic())

    def _ended(self, breaker: Breaker, done: ModelDone) -> None:
        """A reply that stayed cut is a failure of its model, if not one for the reader."""
        if done.finish == "cut":
            breaker.failed(ModelUnavailable("the reply stayed cut"), self._clock.monotonic())
        else:
            breaker.succeeded()


def _left_alone(breaker: Breaker, now: float) -> ModelError:
    """Why this model is not asked just now."""
    reason = breaker.reason
    wait = max(0.0, breaker.until - now)
    if isinstance(reason, ModelRefused):
        return type(reason)(str(reason), code=reason.code, retry_after=wait)
    return ModelUnavailable(f"left alone after: {reason}", retry_after=wait)


def _verdict(failures: Sequence[ModelError]) -> ModelError:
    """The failure to raise; that there was no passage to quote says least."""
    telling = [error for error in failures if error.code != "excerpt"] or failures
    return next((error for error in telling if error.retryable), telling[0])
