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
from bot.config import DeskConfig
from bot.engine.citations import footer
from bot.engine.commands import Call, Command
from bot.engine.skills.arguments import Given, answered, understood
from bot.engine.skills.page import Page
from bot.engine.skills.prompt import request_for
from bot.engine.skills.recipe import Parameter, Skill
from bot.errors import BotError, ReplyRetracted, UserError
from bot.i18n import say
from bot.ports import Knowledge, Model, Uses
from bot.stats.span import local, midnight
from bot.types import (
    Attachment,
    Await,
    ChatRequest,
    Citation,
    Done,
    Grounds,
    ModelDone,
    ModelReset,
    ModelText,
    Notice,
    Passage,
    Place,
    Replace,
    ReplyEvent,
    Retract,
    Role,
    Say,
    Text,
    UseSkill,
    value,
)

ASKED_SECONDS = 600
"""A question is waited for this long; after that a message is a message again."""
PASSAGES = 5
"""Passages given to a skill that works with knowledge."""
FILE_MAX = 1 << 20
"""Bytes of a file that a skill reads; far beyond what any parameter holds."""

Fetch = Callable[[Place, Attachment], Awaitable[bytes]]
"""The content of a file that came with a message. Raises PlatformError."""


@value
class Reading:
    """What a request rests on besides the person's words."""

    passages: tuple[Passage, ...] = ()
    citations: tuple[Citation, ...] = ()


class Skills:
    """The skills of this desk. Holds nothing between uses."""

    def __init__(
        self,
        table: Mapping[str, Skill],
        desk: DeskConfig,
        model: Model,
        clock: Clock,
        uses: Uses | None,
        *,
        knowledge: Knowledge | None,
        speaks: bool,
        fetch: Fetch | None = None,
    ) -> None:
        self._table = table
        self._desk = desk
        self._model = model
        self._clock = clock
        self._uses = uses
        self._knowledge = knowledge
        self._speaks = speaks
        self._fetch = fetch

    def commands(self) -> list[Command]:
        """A row for each skill."""
        return [
            Command(
                word=skill.name,
                run=partial(self._run, skill),
                roles=skill.allowed,
                about={"en": skill.about.en, "zh": skill.about.zh},
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
        async for event in self.answer(skill, given, call):
            yield event

    async def answer(self, skill: Skill, given: Given, call: Call) -> AsyncIterator[ReplyEvent]:
        """The events of one answer, all arguments known. Raises ModelError."""
        reading = await self._read(skill, given, call.locale)
        request = replace(
            request_for(skill, given, self._desk, locale=call.locale, passages=reading.passages),
            conversation=call.place.conversation,
            deadline=call.deadline,
            end_user=call.end_user,
        )
        page = Page(offered=reading.citations, bundles=skill.file)
        done = ModelDone()
        yield Grounds(route="skill", citations=reading.citations)
        try:
            async for event in self._stream(request, page):
                if isinstance(event, ModelDone):
                    done = event
                else:
                    yield event
        except ReplyRetracted:
            yield Retract(key="error.retracted")
            yield self._done(skill, done, page, remember=False)
            return
        async for last in self._ending(skill, page, call.locale):
            yield last
        yield self._done(skill, done, page)

    async def _stream(
        self, request: ChatRequest, page: Page
    ) -> AsyncIterator[Text | Replace | ModelDone]:
        async with aclosing(self._model.stream(request)) as events:
            async for event in events:
                match event:
                    case ModelText(delta=delta):
                        if shown := page.grow(delta):
                            yield shown
                    case ModelReset():
                        page.restart()
                        yield Replace(text="")
                    case ModelDone():
                        yield event
                    case _:
                        pass  # reasoning is not shown, and no tools were offered

    async def _ending(self, skill: Skill, page: Page, locale: str) -> AsyncIterator[ReplyEvent]:
        """What follows the last of the model's text: the file, or the sources."""
        if rest := page.rest():
            yield rest
        if bundle := page.bundle(skill.name):
            line = say(locale, "skill.as_file", name=bundle.file.name)
            yield Replace(text=f"{bundle.intro}\n\n{line}".strip())
            yield bundle.file
        elif page.cited:
            yield Text(delta=footer(page.cited, say(locale, "answer.source")))

    def _done(self, skill: Skill, done: ModelDone, page: Page, *, remember: bool = True) -> Done:
        return Done(
            route="skill",
            usage=done.usage,
            model=done.model,
            citations=page.cited,
            finish=done.finish,
            remember=remember,
            outcome="answered" if remember else "declined",
            changes=(UseSkill(skill=skill.name),),
        )

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
        content = await self._fetch(call.place, file)
        return text_of(name, content)

    async def _check_quota(self, skill: Skill, call: Call) -> None:
        """Raises UserError when the day's uses are spent; it says when the next day begins."""
        if skill.daily is None or self._uses is None or call.role is Role.ADMIN:
            return
        zone = ZoneInfo(self._desk.timezone)
        today = local(self._clock.now(), zone).date()
        used = await self._uses.count(call.person.id, skill.name, since=midnight(today, zone))
        if used >= skill.daily:
            again = local(midnight(today + timedelta(days=1), zone), zone)
            at = f"{again:%Y-%m-%d %H:%M} ({self._desk.timezone})"
            raise UserError("skill.quota", word=skill.name, count=skill.daily, time=at)

    async def _read(self, skill: Skill, given: Given, locale: str) -> Reading:
        """The passages for a skill that works with knowledge."""
        if not skill.knowledge or self._knowledge is None:
            return Reading()
        topic = str(given.values[skill.parameters[0].name])
        findings = await self._knowledge.search(topic, locale=locale)
        if not findings.in_scope:
            return Reading()
        passages = findings.passages[:PASSAGES]
        citations = tuple(
            Citation(number=number, source=one.source, title=one.title, url=one.url)
            for number, one in enumerate(passages, 1)
        )
        return Reading(passages=passages, citations=citations)


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


def _before(call: Call) -> Given | None:
    """What was known when we asked; None: this is no answer to a question of ours."""
    return msgspec.json.decode(call.asked.given, type=Given) if call.asked else None
