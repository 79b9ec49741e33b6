"""Skills as commands: who may use them, what is still missing, and the answer as it streams."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import replace
from datetime import timedelta
from functools import partial
from zoneinfo import ZoneInfo

import msgspec

from bot.clock import Clock
from bot.engine.commands import Call, Command
from bot.engine.skills.arguments import Given, answered, opening, understood
from bot.engine.skills.author import Author, Occasion
from bot.engine.skills.recipe import Parameter, Skill
from bot.errors import BotError, PlatformRefused, UserError
from bot.ports import BrokenOff, Uses
from bot.stats.span import local, midnight
from bot.types import Attachment, Await, Done, Notice, Place, ReplyEvent, Role, Say

ASKED_SECONDS = 600
"""A question is waited for this long; after that a message is a message again."""
FILE_MAX = 1 << 20
"""Bytes of a file that a skill reads; far beyond what any parameter holds."""

Fetch = Callable[[Place, Attachment], Awaitable[bytes]]
"""The content of a file that came with a message. Raises PlatformError."""


class Skills:
    """The skills of this desk. Holds nothing between uses."""

    def __init__(
        self,
        table: Mapping[str, Skill],
        author: Author,
        clock: Clock,
        uses: Uses,
        *,
        timezone: str,
        speaks: bool,
        fetch: Fetch | None = None,
    ) -> None:
        self._table = table
        self._author = author
        self._clock = clock
        self._uses = uses
        self._zone = ZoneInfo(timezone)
        self._speaks = speaks
        self._fetch = fetch

    def commands(self) -> list[Command]:
        """A row for each skill; shown only where there is a model to carry it out."""
        return [
            Command(
                word=skill.name,
                run=partial(self._run, skill),
                roles=skill.allowed,
                about={"en": skill.about.en, "zh": skill.about.zh},
                spends=True,
                behind=opening(skill),
                listed=self._speaks,
            )
            for skill in self._table.values()
        ]

    async def _run(self, skill: Skill, call: Call) -> AsyncIterator[ReplyEvent]:
        """One use: refused, asked back, or answered. Raises UserError and ModelError."""
        if not self._speaks:
            raise UserError("skill.no_model", word=skill.name)
        await self._check_quota(skill, call)
        before = _before(call)
        try:
            given = await self._given(skill, call, before)
        except UserError as error:
            if before is None:
                raise
            # A wrong answer to our question is asked for again, not forgotten.
            yield Notice(key=error.key, values=dict(error.values))
            yield self._asks(skill, before, call.locale)
            return
        if missing := given.lacks(skill):
            yield Say(text=question_of(missing, call.locale))
            yield self._asks(skill, given, call.locale)
            return
        async with aclosing(self._author.answer(skill, given, _occasion(call))) as events:
            async for event in events:
                yield event

    async def go_on(self, found: BrokenOff, call: Call) -> AsyncIterator[ReplyEvent]:
        """The rest of an answer of a skill's; one more use. Raises UserError and ModelError.

        Its command is read again. What came to it beside its own words (a quoted text, a file,
        answers to our questions) is not there any more, and without that nobody could go on.
        """
        word, _, argument = found.question.partition(" ")
        skill = self._table.get(word.removeprefix("/").lower())
        if skill is None or not self._speaks or call.role not in skill.allowed:
            raise UserError("continue.lost")
        await self._check_quota(skill, call)
        given = understood(skill, argument.strip())
        if given.lacks(skill):
            raise UserError("continue.lost")
        occasion = replace(_occasion(call), said=found.pieces)
        async with aclosing(self._author.answer(skill, given, occasion)) as events:
            async for event in events:
                yield event

    def _asks(self, skill: Skill, given: Given, locale: str) -> Done:
        """The end of a reply that waits for the person."""
        form = Await(
            word=skill.name,
            given=msgspec.json.encode(given).decode(),
            locale=locale,
            until=self._clock.now() + ASKED_SECONDS * 1000,
        )
        return Done(route="skill", changes=(form,), remember=False)

    async def _given(self, skill: Skill, call: Call, before: Given | None) -> Given:
        """What the message tells, together with what was told before. Raises UserError."""
        if before is not None:
            return answered(skill, before, call.argument)
        quoted = call.quoted
        if call.attachments and skill.takes_quoted:
            quoted = await self._content(call)
        return understood(skill, call.argument, quoted=quoted)

    async def _content(self, call: Call) -> str:
        """The text of the file that came along."""
        file = call.attachments[0]
        name = file.name or file.kind
        if self._fetch is None:
            raise UserError("skill.no_files")
        if file.size is not None and file.size > FILE_MAX:
            raise UserError("skill.file_too_large", name=name, most=FILE_MAX >> 10)
        try:
            content = await self._fetch(call.place, file)
        except PlatformRefused as error:
            raise UserError("skill.file_unreadable", name=name) from error
        return text_of(name, content)

    async def _check_quota(self, skill: Skill, call: Call) -> None:
        """Raises UserError when the day's uses are spent; it says when the next day begins."""
        if skill.daily is None or call.role is Role.ADMIN:
            return
        zone = self._zone
        today = local(self._clock.now(), zone).date()
        used = await self._uses.count(call.person.id, skill.name, since=midnight(today, zone))
        if used >= skill.daily:
            again = local(midnight(today + timedelta(days=1), zone), zone)
            at = f"{again:%Y-%m-%d %H:%M} ({zone.key})"
            raise UserError("skill.quota", word=skill.name, count=skill.daily, time=at)


def question_of(parameter: Parameter, locale: str) -> str:
    """How a missing argument is asked for."""
    return parameter.ask.to(locale) if parameter.ask else parameter.name


def text_of(name: str, content: bytes) -> str:
    """A file as text. Raises UserError for what is none, or is too large."""
    from bot.knowledge.loaders import decode  # it brings a parser that few uses need

    if len(content) > FILE_MAX:
        raise UserError("skill.file_too_large", name=name, most=FILE_MAX >> 10)
    try:
        return decode(name, content)
    except BotError as error:
        raise UserError("skill.file_unreadable", name=name) from error


def _occasion(call: Call) -> Occasion:
    """For whom and where this use is."""
    return Occasion(
        locale=call.locale,
        conversation=call.place.conversation,
        end_user=call.end_user,
        means=call.means,
        deadline=call.deadline,
    )


def _before(call: Call) -> Given | None:
    """What was known when we asked; None: this is no answer to a question of ours."""
    return msgspec.json.decode(call.asked.given, type=Given) if call.asked else None
