"""What everybody may ask about themselves: what is kept, a copy of it, and that it goes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator

from bot.config import PrivacyConfig
from bot.engine.commands import Call, Command
from bot.i18n import say
from bot.ports import Exports
from bot.types import Done, Erase, File, Notice, ReplyEvent, Say

YES = frozenset({"yes", "是", "确认"})
"""What confirms /forget, in any language; the sentence that asks names one of them."""
EXPORT_NAME = "frontdesk-export.json"


class Personal:
    """The rows about one's own data."""

    def __init__(self, privacy: PrivacyConfig, exports: Exports) -> None:
        self._privacy = privacy
        self._exports = exports

    def commands(self) -> tuple[Command, ...]:
        """The rows."""
        return (
            Command(word="privacy", run=self._tell),
            Command(word="export", run=self._export),
            Command(word="forget", run=self._forget),
        )

    async def _tell(self, call: Call) -> AsyncIterator[ReplyEvent]:
        kept = self._privacy
        text = say(
            call.locale,
            "privacy.kept",
            history=kept.history_days,
            done=kept.done_days,
            dead=kept.dead_days,
        )
        if kept.mask:
            kinds = [say(call.locale, f"privacy.kind_{kind}") for kind in sorted(kept.mask)]
            text += "\n" + say(call.locale, "privacy.masked", kinds=", ".join(kinds))
        yield Say(text=text)
        yield _done()

    async def _export(self, call: Call) -> AsyncIterator[ReplyEvent]:
        if not call.place.private:
            yield Notice(key="access.in_private", values={"word": "export"})
            yield _done()
            return
        kept = await self._exports.of(call.person.id)
        content = json.dumps(kept, ensure_ascii=False, indent=1).encode()
        yield File(
            name=EXPORT_NAME, content=content, caption=say(call.locale, "privacy.export_caption")
        )
        yield _done()

    async def _forget(self, call: Call) -> AsyncIterator[ReplyEvent]:
        if call.argument.strip().lower() not in YES:
            yield Notice(key="privacy.forget_ask")
            yield _done()
            return
        yield Notice(key="privacy.forgotten")
        yield Done(route="command", changes=(Erase(),), remember=False)


def _done() -> Done:
    return Done(route="command", remember=False)
