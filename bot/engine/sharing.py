"""An answer that one person alone was shown in a channel, put before everybody there by them."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import replace

from bot.engine.commands import Call, Command
from bot.i18n import say
from bot.ports import Exchanges
from bot.types import AnswerId, Done, Forward, Notice, ReplyEvent

_NUMBER = re.compile(r"\d{1,18}", re.ASCII)


class Sharing:
    """The word /share, which the button under a whispered answer says."""

    def __init__(self, exchanges: Exchanges) -> None:
        self._exchanges = exchanges

    def command(self) -> Command:
        """The row of the table; pressed, not typed."""
        return Command(word="share", run=self._share, listed=False)

    async def _share(self, call: Call) -> AsyncIterator[ReplyEvent]:
        # What is found is this person's own, said at this very place: nobody shares for others.
        found = None
        if call.place.whispered and _NUMBER.fullmatch(call.argument):
            answer = AnswerId(int(call.argument))
            found = await self._exchanges.exchange(answer, call.place, call.memory)
        if found is None:
            yield Notice(key="share.none")
            yield Done(route="declined", outcome="declined", remember=False)
            return
        values = {"name": call.person.name or "?", "question": found.question, "text": found.text}
        channel = replace(call.place, thread=None, private=False)
        yield Notice(key="share.done")
        yield Forward(
            place=channel,
            text=say(call.locale, "share.said", **values),
            key=f"share:{call.argument}",
        )
        yield Done(route="command", remember=False)
