"""Tells those who run the desk, each alone, that staff cannot be reached where they should be."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

import structlog

from bot.clock import Clock
from bot.i18n import say
from bot.ports import Directory, Inbox, Intake
from bot.types import IncomingMessage, Place, Sender

log = structlog.get_logger()

OUT = frozenset({"left", "kicked"})
"""What a membership signal says when we are in a place no more (Bot API, ChatMember)."""
DAY_MS = 86_400_000


class Alarm:
    """Watches the staff place. Each admin hears of it at most once a day (UTC)."""

    def __init__(
        self,
        inbox: Inbox,
        directory: Directory,
        clock: Clock,
        *,
        admins: Collection[str],
        staff: Place | None,
        locale: str,
    ) -> None:
        self._inbox = inbox
        self._directory = directory
        self._clock = clock
        self._admins = sorted(admins)
        self._staff = staff
        self._locale = locale or "en"

    async def heed(self, intakes: Iterable[Intake]) -> None:
        """We were put out of the staff place. Raises StorageError when nobody can be told."""
        signals = [one.signal for one in intakes if one.signal is not None]
        if self._staff is None or not signals:
            return
        room = replace(self._staff, thread=None).conversation
        if any(
            one.kind == "membership" and one.conversation == room and one.text in OUT
            for one in signals
        ):
            await self.lost(self._staff)

    async def lost(self, place: Place) -> None:
        """Something for this place came to nobody; nothing is done unless staff read there."""
        if self._staff is None or place.conversation != self._staff.conversation:
            return
        log.error("staff_not_reached", place=place.conversation)
        now = self._clock.now()
        for home in await self._homes(place):
            told = IncomingMessage(
                key=f"unreached:{place.conversation}:{now // DAY_MS}",
                place=home,
                sender=Sender(user="frontdesk"),
                text=say(self._locale, "staff.unreached", place=place.channel),
                said_at=now,
                position=now * 1_000_000,
                origin="relay",
            )
            await self._inbox.put_later(told, due_at=now)

    async def _homes(self, place: Place) -> list[Place]:
        """Where admins can be written to alone: those who ever wrote to the desk themselves."""
        found: list[Place] = []
        for admin in self._admins:
            platform, _, name = admin.partition(":")
            account, _, user = name.rpartition("/")
            # Without an account an admin is one of ours, which on the same platform is one account.
            person = await self._directory.by_identity(platform, account or place.account, user)
            if person is not None and (home := await self._directory.home(person.id)):
                found.append(home)
        return found
