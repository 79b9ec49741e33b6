"""The desk's numbers in chat: /stats with its picture and its file, /digest, and its timer."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import date, timedelta
from zoneinfo import ZoneInfo

from bot.clock import Clock
from bot.config import DeskConfig
from bot.engine.audited import ARGUMENT_SHOWN
from bot.engine.commands import ADMINS, Call, Command
from bot.engine.engine import DIGEST, STATS
from bot.engine.reports import Reports
from bot.errors import UserError
from bot.ports import Directory, Inbox
from bot.stats.digest import next_due
from bot.stats.picture import picture
from bot.stats.render import render, title
from bot.stats.report import Report
from bot.stats.span import local
from bot.stats.table import csv_name, csv_of
from bot.types import (
    Audit,
    Done,
    File,
    Forward,
    IncomingMessage,
    Notice,
    Place,
    ReplyEvent,
    Say,
    Sender,
)

TIMER = Place(platform="timer", account="", channel="digest")
"""Where the digest waits until it is due: in nobody's line."""

PICTURE_NAME = "stats.png"
_SPAN = re.compile(
    r"\s+(?:csv|(?:csv\s+)?(?:today|\d{1,3}d|\d{4}-\d\d-\d\d\.\.(?:\d{4}-\d\d-\d\d)?))",
    re.IGNORECASE | re.ASCII,
)


class Numbers:
    """The rows about the desk itself."""

    def __init__(
        self,
        desk: DeskConfig,
        clock: Clock,
        reports: Reports,
        *,
        directory: Directory,
        inbox: Inbox,
        staff: Place | None,
    ) -> None:
        self._desk = desk
        self._clock = clock
        self._reports = reports
        self._directory = directory
        self._inbox = inbox
        self._staff = staff
        self._zone = ZoneInfo(desk.timezone)

    def commands(self) -> tuple[Command, ...]:
        """The rows."""
        return (
            Command(word="stats", run=self._stats, roles=ADMINS, behind=_SPAN),
            Command(word="digest", run=self._digest, roles=ADMINS),
        )

    # --- asked for ---------------------------------------------------------------------------

    async def _stats(self, call: Call) -> AsyncIterator[ReplyEvent]:
        first, _, rest = call.argument.strip().partition(" ")
        wants_file = first.lower() == "csv"
        try:
            report = await self._reports.read(rest if wants_file else call.argument)
        except UserError as error:
            async for event in _refused("stats", call, error):
                yield event
            return
        if not call.place.private:
            events = self._elsewhere(call)
        elif wants_file:
            events = _as_file(call, report)
        else:
            events = _as_text(call, report)
        async for event in events:
            yield event
        yield _DONE if call.person.id else Done(route="relay", remember=False)

    async def _elsewhere(self, call: Call) -> AsyncIterator[ReplyEvent]:
        """To where the one who asked can be written to alone, or what they can do about it.

        What goes there is the question: it is answered there, with all that belongs to it.
        """
        home = await self._directory.home(call.person.id)
        if home is None:
            yield Notice(key="stats.write_me")
            return
        key = f"{STATS}{call.locale}:{self._clock.now()}:{call.argument[:ARGUMENT_SHOWN]}"
        yield Forward(place=home, text=call.argument, key=key)
        yield Notice(key="stats.sent")

    async def _digest(self, call: Call) -> AsyncIterator[ReplyEvent]:
        if call.person.id == 0:
            async for event in self._unasked(call):
                yield event
        elif not call.place.private and not self._is_staff(call.place):
            yield Notice(key="access.in_private", values={"word": "digest"})
            yield _DONE
        else:
            yesterday = local(self._clock.now(), self._zone).date() - timedelta(days=1)
            try:
                day = _day(call.argument) if call.argument.strip() else yesterday
                text = await self._reports.digest(day, call.locale)
            except UserError as error:
                async for event in _refused("digest", call, error):
                    yield event
                return
            yield Say(text=text)
            yield _DONE

    # --- unasked -----------------------------------------------------------------------------

    async def arm(self) -> None:
        """Have the next digest written when it is due. Once in line it is not put there again.

        Another time or zone in the settings is another occasion: it is put in line beside the one
        of the settings before, which will find itself unwanted.
        """
        if not self._desk.digest or self._staff is None:
            return
        now = self._clock.now()
        day, due = next_due(now, self._desk.digest, self._zone)
        occasion = self._occasion(day)
        key = f"{DIGEST}{occasion}"
        timer = IncomingMessage(
            key=key,
            place=TIMER,
            sender=Sender(user="frontdesk"),
            text="",
            said_at=now,
            position=due,
            origin="timer",
            forward=Forward(place=self._staff, text=occasion, key=key),
        )
        await self._inbox.put_later(timer, due_at=due)

    async def _unasked(self, call: Call) -> AsyncIterator[ReplyEvent]:
        """The timer's turn: the next one first, then the day before the one it was set for.

        Nothing is said where digests were turned off since, or moved to another time or place.
        """
        await self.arm()
        day = _day(call.argument.partition(" ")[0])
        if self._is_staff(call.place) and call.argument == self._occasion(day):
            before = day - timedelta(days=1)
            yield Say(text=await self._reports.digest(before, call.locale))
        yield Done(route="relay", remember=False)

    def _occasion(self, day: date) -> str:
        """A digest by its day, and by the settings that it was asked for with."""
        return f"{day} {self._desk.digest} {self._zone}"

    def _is_staff(self, place: Place) -> bool:
        return self._staff is not None and place.conversation == self._staff.conversation


_DONE = Done(route="command", remember=False)


async def _refused(word: str, call: Call, error: UserError) -> AsyncIterator[ReplyEvent]:
    """Say why, and keep that it was tried."""
    yield Notice(key=error.key, values=dict(error.values))
    given = " ".join(call.argument.split())[:ARGUMENT_SHOWN]
    attempt = Audit(action=f"{word} refused", detail=f"{error.key}: {given}")
    yield replace(_DONE, route="declined", outcome="declined", changes=(attempt,))


async def _as_text(call: Call, report: Report) -> AsyncIterator[ReplyEvent]:
    """The text at once; the picture takes a moment to be drawn, and has its heading in it."""
    yield Say(text=render(report, call.locale))
    if drawn := await picture(report, call.locale):
        yield File(name=PICTURE_NAME, content=drawn, kind="picture")


async def _as_file(call: Call, report: Report) -> AsyncIterator[ReplyEvent]:
    yield File(name=csv_name(report), content=csv_of(report), caption=title(report, call.locale))


def _day(text: str) -> date:
    """UserError for what is no day."""
    try:
        return date.fromisoformat(text.strip())
    except ValueError:
        raise UserError("digest.bad_day", day=text.strip()[:40]) from None
