"""When a person is needed: who is told, where, and what the customer hears."""

from __future__ import annotations

from bot.config import DeskConfig
from bot.i18n import say
from bot.ports import Tickets
from bot.types import Change, Forward, OpenTicket, Person, Place, value

SUMMARY_MAX = 600
"""Characters of the question shown to staff; the whole of it is in the conversation."""


@value
class Opened:
    """Whether a person knows now, and what makes it so."""

    told: bool
    changes: tuple[Change, ...] = ()
    forwards: tuple[Forward, ...] = ()


class Handoff:
    """Opens tickets where staff are configured; does nothing where they are not."""

    def __init__(self, desk: DeskConfig, tickets: Tickets, staff: Place | None) -> None:
        self._desk = desk
        self._tickets = tickets
        self._staff = staff

    @property
    def staffed(self) -> bool:
        """There is a place where people read."""
        return self._staff is not None

    async def is_open(self, person: Person, place: Place) -> bool:
        """Whether the person waits for somebody here already."""
        return await self._tickets.open_for(person.id, place) is not None

    async def open(self, person: Person, place: Place, question: str, reason: str) -> Opened:
        """What opens a ticket: its change, and the one notice to staff.

        With a ticket open already nothing new is said; with nobody configured nobody is told.
        """
        if self._staff is None:
            return Opened(told=False)
        if await self.is_open(person, place):
            return Opened(told=True)
        locale = self._desk.locale or "en"
        summary = question.strip()[:SUMMARY_MAX]
        notice = say(
            locale,
            "ticket.notice",
            name=person.listed,
            platform=place.platform.capitalize(),
            reason=say(locale, reason),
            question=summary or "—",
        )
        ticket = OpenTicket(reason=reason, staff=self._staff, summary=summary)
        forward = Forward(place=self._staff, text=notice)
        return Opened(told=True, changes=(ticket,), forwards=(forward,))
