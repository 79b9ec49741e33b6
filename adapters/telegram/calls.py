"""The one way out to Telegram: pace, then guard, then bytes; on every attempt, for every call.

Library errors become ours here and nowhere else.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from random import Random
from typing import TypeVar

from telegram.error import (
    BadRequest,
    ChatMigrated,
    Forbidden,
    InvalidToken,
    NetworkError,
    TelegramError,
)
from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, stop_after_attempt

from adapters.telegram.request import Flooded, NotSent
from bot.clock import Clock
from bot.errors import (
    MessageGone,
    NotWelcome,
    PlatformBusy,
    PlatformError,
    PlatformLocked,
    PlatformRefused,
    PlatformUnavailable,
)
from bot.pace import Gate, Pace
from bot.types import Guard, value

T = TypeVar("T")

ATTEMPTS = 5
"""Tries of a call that may be tried again; 0.5 to 8 s apart, about 12 s together."""
BACKOFF_SECONDS = 0.5
BACKOFF_MOST = 8.0
PATIENCE_SECONDS = 4.0
"""A ban that ends sooner is waited for; a longer one is the caller's to plan around."""

_GONE = (
    "message to edit not found",
    "message can't be edited",
    "message to delete not found",
    "message can't be deleted",
    "message_id_invalid",
)
_UNWELCOME = (
    "chat not found",
    "peer_id_invalid",
    "group chat was deactivated",
    "user is deactivated",
    "have no rights to send",
    "not enough rights to send",
    "chat_write_forbidden",
    "chat_restricted",
    "message thread not found",
    "topic_closed",
    "topic_deleted",
)
_UNMODIFIED = "message is not modified"


class BadEntities(PlatformRefused):
    """The marks on the text were refused, not the text."""


class Moved(PlatformError):
    """The group became a supergroup with another id."""

    def __init__(self, channel: str) -> None:
        super().__init__(f"the group is now {channel}")
        self.channel = channel


@value
class Call:
    """How a call is to be treated.

    `repeatable`: doing it twice is the same as once, so an unknown outcome may be tried again.
    `final`: worth waiting and retrying for; any other call fails at once.
    """

    gates: tuple[Gate, ...] = ()
    final: bool = True
    repeatable: bool = True
    guard: Guard | None = None


class Calls:
    """Carries calls out. `pace` None switches pacing off; bans by the platform are obeyed still."""

    def __init__(self, clock: Clock, pace: Pace | None, random: Random) -> None:
        self._clock = clock
        self._pace = pace
        self._bans = pace or Pace()
        self._random = random

    def ready(self, gates: tuple[Gate, ...], *, final: bool) -> float:
        """When a call through these gates may leave; a past time: now."""
        return self._ready(gates, now=float("-inf"), final=final)

    def banned_until(self, gates: tuple[Gate, ...]) -> float:
        """When the last refusal of any of these ends; a past time: there is none."""
        return self._bans.banned_until(gates)

    def _ready(self, gates: tuple[Gate, ...], *, now: float, final: bool) -> float:
        if self._pace is None:
            return max(now, self._bans.banned_until(gates))
        return self._pace.ready(gates, now=now, final=final)

    async def make(self, call: Call, operation: Callable[[], Awaitable[T]]) -> T | None:
        """The result of `operation`; None when the message shows already what it should.

        Raises PlatformError, or what `call.guard` raises.
        """
        try:
            return await self._attempt(call, operation)
        except PlatformError as error:
            if not call.final or not _again(error, call):
                raise
            await self._clock.sleep(self._pause(error, 1))
        # Most calls never come here, and making a policy costs a tenth of a call.
        policy = AsyncRetrying(
            stop=stop_after_attempt(ATTEMPTS - 1),
            retry=retry_if_exception(lambda error: _again(error, call)),
            wait=lambda state: self._pause(_error(state), state.attempt_number + 1),
            sleep=self._clock.sleep,
            reraise=True,
        )
        return await policy(self._attempt, call, operation)

    async def _attempt(self, call: Call, operation: Callable[[], Awaitable[T]]) -> T | None:
        await self._wait_turn(call)
        if call.guard is not None:
            call.guard()
        try:
            return await operation()
        except Flooded as error:
            now = self._clock.monotonic()
            self._bans.refused(call.gates, now=now, seconds=error.seconds)
            raise PlatformBusy(retry_after=error.seconds) from None
        except TelegramError as error:
            if isinstance(error, BadRequest) and _UNMODIFIED in error.message.lower():
                return None
            raise translated(error) from None

    async def _wait_turn(self, call: Call) -> None:
        """Rest until the pace lets this call go, then use its place up. Delays only this task."""
        while True:
            now = self._clock.monotonic()
            banned = self._bans.banned_until(call.gates) - now
            if banned > (PATIENCE_SECONDS if call.final else 0.0):
                raise PlatformBusy("this chat is under flood control", retry_after=banned)
            at = self._ready(call.gates, now=now, final=call.final)
            if at <= now:
                break
            await self._clock.sleep(at - now)
        if self._pace is not None:
            self._pace.take(call.gates, now=now, final=call.final)

    def _pause(self, error: BaseException | None, attempt: int) -> float:
        """Full jitter over a doubling bound; after a 429 the pace itself does the waiting."""
        if isinstance(error, PlatformBusy):
            return 0.0
        bound = BACKOFF_SECONDS * 2.0**attempt
        return self._random.uniform(0.0, min(bound, BACKOFF_MOST))


def _error(state: RetryCallState) -> BaseException | None:
    return state.outcome.exception() if state.outcome else None


def _again(error: BaseException, call: Call) -> bool:
    """Whether to try this call once more, now."""
    match error:
        case PlatformBusy(retry_after=seconds):
            return seconds is not None and seconds <= PATIENCE_SECONDS
        case PlatformUnavailable(sent=sent):
            return call.repeatable or not sent
        case _:
            return False


def translated(error: TelegramError) -> PlatformError:
    """The library's error as ours. The library's texts are Telegram's and hold no token."""
    match error:
        case Flooded():
            return PlatformBusy(retry_after=error.seconds)
        case ChatMigrated():
            return Moved(str(error.new_chat_id))
        case NotSent():
            return PlatformUnavailable(error.message, sent=False)
        case BadRequest():
            return _refused(error.message)
        case NetworkError():
            return PlatformUnavailable(error.message, sent=True)
        case Forbidden():
            return NotWelcome(error.message)
        case InvalidToken():
            return PlatformLocked("Telegram refuses the bot token")
        case _:
            return PlatformUnavailable(error.message, sent=True)


def _refused(message: str) -> PlatformError:
    lowered = message.lower()
    if any(sign in lowered for sign in _GONE):
        return MessageGone(message)
    if any(sign in lowered for sign in _UNWELCOME):
        return NotWelcome(message)
    if "entit" in lowered:
        return BadEntities(message)
    return PlatformRefused(message)
