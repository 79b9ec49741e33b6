"""What is said to everybody: shown first, let go by a code, watched, and stopped."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable

from bot.engine.audited import ARGUMENT_SHOWN, Decision, audited, done
from bot.engine.commands import ADMINS, Call, Command
from bot.errors import UserError
from bot.i18n import say
from bot.ports import Broadcasts, Clock, Progress
from bot.types import DraftBroadcast, Notice, Person, ReplyEvent, Say, Scalar, StartBroadcast

BROADCAST_MAX = 3500
"""Characters: one message on every platform (Telegram shows 4,096 UTF-16 units in one)."""
NEWEST = 0
"""The number under which the newest broadcast is asked for."""
NOT_THERE = -1
NUMBER_LENGTH = 16
"""Digits from which on SQLite might not hold it."""

_CONFIRM = re.compile(r"send(?:\s+(\S+))?", re.IGNORECASE)
_STATUS = re.compile(r"(?:status|进度)(?:\s+(\S+))?", re.IGNORECASE)
_STOP = re.compile(r"(?:stop|停止)(?:\s+(#?\d+))?", re.IGNORECASE | re.ASCII)
"""With any other word behind it, it is the beginning of a text."""

Code = Callable[[], str]
"""A new confirmation code, hard to guess and easy to type."""


class Broadcasting:
    """The word /broadcast."""

    def __init__(self, clock: Clock, broadcasts: Broadcasts, *, code: Code) -> None:
        self._clock = clock
        self._broadcasts = broadcasts
        self._code = code

    def command(self) -> Command:
        """The row."""
        return Command(word="broadcast", run=self._broadcast, roles=ADMINS)

    async def _broadcast(self, call: Call) -> AsyncIterator[ReplyEvent]:
        if not call.place.private:
            yield Notice(key="access.in_private", values={"word": "broadcast"})
            yield done()
            return
        if status := _STATUS.fullmatch(call.argument):
            yield Say(text=_told(await self._found(status[1] or ""), call.locale))
            yield done()
            return
        stopped = _STOP.fullmatch(call.argument)
        confirmed = _CONFIRM.fullmatch(call.argument)
        if not stopped and not confirmed and 0 < len(call.argument) <= BROADCAST_MAX:
            yield Say(text=call.argument)

        async def decide() -> Decision:
            if stopped is not None:
                return await self._stop(stopped[1] or "")
            if confirmed is not None:
                return await self._start(confirmed[1] or "", call)
            return await self._draft(call.argument)

        async for event in audited("broadcast", call, decide):
            yield event

    async def _draft(self, text: str) -> Decision:
        """A preview, and the code that lets it go."""
        if not text:
            raise UserError("access.broadcast_usage")
        if len(text) > BROADCAST_MAX:
            raise UserError("access.broadcast_long", most=BROADCAST_MAX, length=len(text))
        if not (people := await self._broadcasts.recipients()):
            raise UserError("access.broadcast_nobody")
        code = self._code()
        return Decision(
            key="access.broadcast_preview",
            values={"people": people, "code": code},
            action="broadcast drafted",
            detail=f"{code} ({len(text)})",
            changes=(DraftBroadcast(code=code, text=text),),
        )

    async def _start(self, code: str, call: Call) -> Decision:
        """It goes out; a code is good once, for its author, for a quarter of an hour."""
        if not code:
            raise UserError("access.broadcast_no_code")
        at = self._clock.now()
        if await self._broadcasts.draft(code, call.person.id, at=at) is None:
            raise UserError("access.broadcast_code", code=code[:ARGUMENT_SHOWN])
        people = await self._broadcasts.recipients()
        return Decision(
            key="access.broadcast_started",
            values={"people": people},
            action="broadcast started",
            detail=f"{code} ({people})",
            changes=(StartBroadcast(code=code),),
        )

    async def _stop(self, given: str) -> Decision:
        """It goes to nobody else, from this moment on: a settlement would come too late for some.

        Asked again it says the same, so that an answer broken off by a crash can be given.
        """
        running = await self._broadcasts.running(_number(given))
        if len(running) > 1:
            numbers = ", ".join(map(str, running))
            raise UserError("access.broadcast_which", numbers=numbers)
        for one in running:
            await self._broadcasts.stop(one, at=self._clock.now())
        found = await self._found(str(running[0]) if running else given)
        if not found.stopped:
            raise UserError("access.broadcast_over", number=found.id)
        return Decision(
            key=_sentence(found),
            values=_counts(found),
            action="broadcast stopped",
            detail=f"{found.id} ({found.unsent})",
        )

    async def _found(self, given: str) -> Progress:
        """The broadcast of this number, "" for the newest. Raises UserError when there is none."""
        found = await self._broadcasts.progress(_number(given))
        if found is None and not given:
            raise UserError("access.broadcast_never")
        if found is None:
            raise UserError("access.broadcast_none", number=given[:ARGUMENT_SHOWN])
        return found


def _number(given: str) -> int:
    """Which is asked for: the newest where nothing is given, none where that is no number."""
    if not given:
        return NEWEST
    bare = given.removeprefix("#")
    known = bare.isascii() and bare.isdigit() and len(bare) < NUMBER_LENGTH
    return int(bare) if known else NOT_THERE


def _told(found: Progress, locale: str) -> str:
    """How far it came, and to whom it may or may not have come."""
    lines = [say(locale, _sentence(found), **_counts(found))]
    if not found.whole and not found.stopped:
        lines.append(say(locale, "access.broadcast_spreading"))
    if found.unknowns:
        names = ", ".join(Person(id=id_, name=name).listed for id_, name in found.unknowns)
        lines.append(say(locale, "access.broadcast_unknowns", names=names))
    return "\n".join(lines)


def _sentence(found: Progress) -> str:
    """The key of the sentence with the numbers."""
    if not found.stopped:
        return "access.broadcast_progress"
    return "access.broadcast_stopping" if found.sending else "access.broadcast_stopped"


def _counts(found: Progress) -> dict[str, Scalar]:
    """What the sentences name; who is being written to has not got it yet, where it goes on."""
    counts: dict[str, Scalar] = {
        "number": found.id,
        "delivered": found.delivered,
        "failed": found.failed,
        "unknown": found.unknown,
    }
    if not found.stopped:
        return counts | {"waiting": found.waiting + found.sending}
    return counts | {"unsent": found.unsent} | ({"sending": found.sending} if found.sending else {})
