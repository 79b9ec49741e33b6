"""An answer that broke off is gone on with: for whoever may read it here, and once."""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import replace

from bot.config import DeskConfig
from bot.engine.answer import Answerer
from bot.engine.citations import without_footer
from bot.engine.commands import Call, Command
from bot.engine.language import language
from bot.engine.leaning import Question
from bot.engine.skills import Skills
from bot.i18n import LOCALES, say
from bot.ports import BrokenOff, Continuations
from bot.types import AnswerId, Done, Grounds, Notice, ReplyEvent

WORD = "continue"
_NUMBER = re.compile(r"\d{1,18}", re.ASCII)
_REMARKS = tuple(
    "\n\n" + say(locale, key)
    for locale in LOCALES
    for key in ("answer.unverified", "answer.not_from_kb")
)
"""What we put under an answer; the model has to go on with its own words."""


class Continuing:
    """The word /continue: under an answer that broke off a button says it, with the number.

    Like a verdict it is open to everybody who can read the answer where it stands, and found is
    only what was said at this very place and is remembered here.
    """

    def __init__(
        self, desk: DeskConfig, answerer: Answerer, skills: Skills, broken: Continuations
    ) -> None:
        self._desk = desk
        self._answerer = answerer
        self._skills = skills
        self._broken = broken

    def command(self) -> Command:
        """The row of the table. Without a number it means the newest answer."""
        return Command(word=WORD, run=self._run, spends=True, kept="answer.go_on")

    async def _run(self, call: Call) -> AsyncIterator[ReplyEvent]:
        found = await self._find(call)
        if (refusal := _refusal(found)) or found is None:
            yield Notice(key=refusal)
            yield Done(route="declined", outcome="declined", remember=False)
            return
        async with aclosing(self._rest(call, found)) as events:
            async for event in events:
                if isinstance(event, Grounds):
                    yield replace(event, continues=found.answer)
                else:
                    yield event

    async def _find(self, call: Call) -> BrokenOff | None:
        """The answer that is meant, without what we wrote under it."""
        if call.argument and not _NUMBER.fullmatch(call.argument):
            return None
        answer = AnswerId(int(call.argument)) if call.argument else None
        found = await self._broken.broken_off(
            answer, call.place, call.memory, limit=self._desk.history_turns
        )
        return found and replace(found, pieces=tuple(map(own_words, found.pieces)))

    async def _rest(self, call: Call, found: BrokenOff) -> AsyncGenerator[ReplyEvent, None]:
        """The rest, by the station that wrote the first part. Raises ModelError and UserError."""
        if found.route == "skill":
            events = self._skills.go_on(found, call)
        else:
            events = self._answerer.answer(self._question(call, found))
        async for event in events:
            yield event

    def _question(self, call: Call, found: BrokenOff) -> Question:
        """The question as it was asked, in its language, on behalf of whoever wants the rest."""
        locale = language(
            found.question,
            chosen=call.person.locale,
            platform=call.locale,
            default=self._desk.locale,
        )
        return Question(
            text=found.question,
            locale=locale,
            person=call.person,
            place=call.place,
            memory=call.memory,
            end_user=call.end_user,
            deadline=call.deadline,
            means=call.means,
            said=found.pieces,
            past=found.past,
        )


def _refusal(found: BrokenOff | None) -> str:
    """Why there is nothing to go on with; "" where there is."""
    if found is None:
        return "continue.none"
    if found.continued:
        return "continue.done"
    return "continue.stopped" if found.stopped else ""


def own_words(text: str) -> str:
    """An answer without the sources and remarks that stand under it."""
    for remark in _REMARKS:
        text = text.removesuffix(remark)
    for locale in LOCALES:
        text = without_footer(text, say(locale, "answer.source"))
    return text
