"""A skill's answer, its arguments known: what it rests on, the text as it streams, its ending."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from dataclasses import replace

from bot.config import DeskConfig
from bot.engine import prompts
from bot.engine.citations import footer
from bot.engine.seam import going_on
from bot.engine.skills.arguments import Given
from bot.engine.skills.page import Page
from bot.engine.skills.prompt import request_for
from bot.engine.skills.recipe import Skill
from bot.errors import ReplyRetracted
from bot.i18n import say
from bot.ports import Knowledge, Model
from bot.types import (
    ChatRequest,
    Citation,
    Done,
    Grounds,
    Means,
    ModelDone,
    ModelReset,
    ModelText,
    Passage,
    Replace,
    ReplyEvent,
    Retract,
    Text,
    UseSkill,
    value,
)

PASSAGES = 5
"""Passages given to a skill that works with knowledge."""


@value
class Occasion:
    """For whom and where a skill is used; all that the model's layers want to know of it.

    `said`: the pieces there are of the answer, which broke off; the rest is wanted.
    """

    locale: str
    conversation: str = ""
    end_user: str = ""
    deadline: float | None = None
    means: Means = "full"
    said: tuple[str, ...] = ()


class Author:
    """Writes what skills ask for. Holds nothing between answers."""

    def __init__(self, desk: DeskConfig, model: Model, knowledge: Knowledge | None) -> None:
        self._desk = desk
        self._model = model
        self._knowledge = knowledge

    async def answer(
        self, skill: Skill, given: Given, occasion: Occasion
    ) -> AsyncGenerator[ReplyEvent, None]:
        """The events of one answer, without Begin. Raises ModelError."""
        passages = await self._read(skill, given, occasion.locale)
        page = Page(offered=_citations(passages))
        request = request_for(skill, given, self._desk, locale=occasion.locale, passages=passages)
        request = replace(
            request,
            turns=(*request.turns, *prompts.going_on(occasion.said, locale=occasion.locale)),
            conversation=occasion.conversation,
            deadline=occasion.deadline,
            end_user=occasion.end_user,
            means=occasion.means,
        )
        done = ModelDone()
        yield Grounds(route="skill", citations=_citations(passages))
        try:
            async for event in self._stream(request, page, occasion.said):
                if isinstance(event, ModelDone):
                    done = event
                else:
                    yield event
        except ReplyRetracted:
            yield Retract(key="error.retracted")
            yield _done(skill, done, page, remember=False)
            return
        for last in _ending(page, occasion.locale):
            yield last
        yield _done(skill, done, page)

    async def _read(self, skill: Skill, given: Given, locale: str) -> tuple[Passage, ...]:
        """The passages for a skill that works with knowledge; none when nothing fits."""
        if not skill.knowledge or self._knowledge is None:
            return ()
        topic = str(given.values[skill.parameters[0].name])
        findings = await self._knowledge.search(topic, locale=locale)
        return findings.passages[:PASSAGES] if findings.in_scope else ()

    async def _stream(
        self, request: ChatRequest, page: Page, pieces: Sequence[str]
    ) -> AsyncIterator[Text | Replace | ModelDone]:
        async with (
            aclosing(self._model.stream(request)) as said,
            aclosing(going_on(said, pieces)) as events,
        ):
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


def _ending(page: Page, locale: str) -> list[ReplyEvent]:
    """What follows the last of the model's text: the sources."""
    rest = page.rest()
    last: list[ReplyEvent] = [rest] if rest else []
    if page.cited:
        last.append(Text(delta=footer(page.cited, say(locale, "answer.source"))))
    return last


def _done(skill: Skill, done: ModelDone, page: Page, *, remember: bool = True) -> Done:
    """The end of an answer; one that was taken back is not remembered, but counts as a use."""
    return Done(
        route="skill",
        usage=done.usage,
        model=done.model,
        citations=page.cited,
        finish=done.finish,
        cached=done.cached,
        remember=remember,
        outcome="answered" if remember else "declined",
        changes=(UseSkill(skill=skill.name),),
    )


def _citations(passages: tuple[Passage, ...]) -> tuple[Citation, ...]:
    """Numbered from 1 in the order of the prompt."""
    return tuple(
        Citation(number=number, source=one.source, title=one.title, url=one.url)
        for number, one in enumerate(passages, 1)
    )
