"""What is said to everybody: shown first, let go by a code, watched, and stopped."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Callable

from bot.engine.audited import ARGUMENT_SHOWN, Decision, audited, done
from bot.engine.commands import ADMINS, Call, Command
from bot.errors import UserError
from bot.i18n import say
from bot.ports import Broadcasts, Clock
from bot.types import DraftBroadcast, Notice, ReplyEvent, Say, StartBroadcast

BROADCAST_MAX = 3500
"""Characters: one message on every platform (Telegram shows 4,096 UTF-16 units in one)."""
NEWEST = "0"
"""The number under which the newest broadcast is asked for."""

_CONFIRM = re.compile(r"send\s+(\S+)", re.IGNORECASE)
_STATUS = re.compile(r"status(?:\s+(\S+))?", re.IGNORECASE)

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
            yield Say(text=await self._progress(status[1] or NEWEST, call.locale))
            yield done()
            return
        confirmed = _CONFIRM.fullmatch(call.argument)
        if confirmed is None and 0 < len(call.argument) <= BROADCAST_MAX:
            yield Say(text=call.argument)

        async def decide() -> Decision:
            if confirmed is not None:
                return await self._start(confirmed[1], call)
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

    async def _progress(self, number: str, locale: str) -> str:
        """How far it came, and to whom it may or may not have come."""
        known = number.isascii() and number.isdigit() and len(number) < 16
        found = await self._broadcasts.progress(int(number)) if known else None
        if found is None and number == NEWEST:
            raise UserError("access.broadcast_never")
        if found is None:
            raise UserError("access.broadcast_none", number=number[:ARGUMENT_SHOWN])
        lines = [
            say(
                locale,
                "access.broadcast_progress",
                number=found.id,
                delivered=found.delivered,
                waiting=found.waiting,
                failed=found.failed,
                unknown=found.unknown,
            )
        ]
        if not found.whole:
            lines.append(say(locale, "access.broadcast_spreading"))
        if found.unknowns:
            names = ", ".join(f"{name or '—'} (#{person})" for person, name in found.unknowns)
            lines.append(say(locale, "access.broadcast_unknowns", names=names))
        return "\n".join(lines)
