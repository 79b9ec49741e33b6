"""Drafts: what is being written is shown in a private chat without a message (sendMessageDraft).

They are calls of their own: a refusal of one slows drafts only, never a message. The number of a
draft names the answer, so its Stop button needs no memory of ours.
"""

from __future__ import annotations

import dataclasses
from random import Random

import structlog
from telegram import Bot
from telegram.error import InvalidToken

from adapters.telegram.calls import Call, Calls
from adapters.telegram.normalise import draft_id
from adapters.telegram.rates import OVERALL, chat_gates, draft_gates, is_private
from adapters.telegram.render import render
from bot.clock import Clock
from bot.errors import PlatformRefused
from bot.pace import Pace
from bot.types import AnswerId, Drafts, Frame, Guard, Limits, Place

DRAFTS = Drafts(interval=0.28, repeat=20.0)
"""18 in five seconds, as the pace allows; a draft is shown for 30 s (Bot API)."""
SECONDS = 3.0
"""For connecting, and again for the answer: a finished text waits for the draft under way."""
REFUSED_MAX = 1_000
"""Chats without drafts that are remembered; one that is forgotten costs a call."""
_NO_METHOD = "Not Found"
_NOT_HERE = "textdraft_peer_invalid"

log = structlog.get_logger(__name__)


class DraftBoard:
    """Shows drafts where Telegram takes them; what it refused as a thing is not tried again."""

    def __init__(
        self, bot: Bot, calls: Calls, clock: Clock, random: Random, *, paced: bool
    ) -> None:
        self._bot = bot
        self._messages = calls
        self._drafts = Calls(clock, Pace(OVERALL) if paced else None, random)
        self._known = True
        self._refused: set[str] = set()

    def within(self, limits: Limits, place: Place) -> Limits:
        """The limits of a place, with drafts where there are any."""
        if not self._known or not is_private(place) or place.channel in self._refused:
            return limits
        return dataclasses.replace(limits, drafts=DRAFTS)

    def ready(self, place: Place) -> float:
        """When one may leave: not while the chat as a whole is under a ban."""
        own = self._drafts.ready(draft_gates(place), final=False)
        return max(own, self._messages.banned_until(chat_gates(place)))

    async def show(
        self, place: Place, answer: AnswerId, part: int, frame: Frame, guard: Guard
    ) -> None:
        """See `ShowsDrafts.draft`."""
        shown = render(frame.content)

        async def send() -> bool:
            try:
                return await self._bot.send_message_draft(
                    chat_id=int(place.channel),
                    draft_id=draft_id(answer, part, place.thread),
                    text=shown.text,
                    entities=shown.entities or None,
                    message_thread_id=int(place.thread) if place.thread else None,
                    # Bot API 10.3; an older server shows no button and means no harm.
                    api_kwargs={"can_stop": True, "keep_on_stop": True},
                    connect_timeout=SECONDS,
                    read_timeout=SECONDS,
                    write_timeout=SECONDS,
                )
            except InvalidToken as error:
                if _NO_METHOD not in error.message:
                    raise
                self._known = False
                log.warning("telegram_drafts_not_known", advice="the Bot API server is older")
                raise PlatformRefused("there is no sendMessageDraft here") from None

        call = Call(gates=draft_gates(place), final=False, guard=guard)
        try:
            await self._drafts.make(call, send)
        except PlatformRefused as error:
            if _NOT_HERE in str(error).lower():
                if len(self._refused) >= REFUSED_MAX:
                    self._refused.clear()
                self._refused.add(place.channel)
                log.warning("telegram_drafts_refused", chat=place.channel)
            raise
