"""Questions that lean on what was said before: searched with it, or made whole by a model."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256

from bot.engine.whole import whole
from bot.errors import ModelError
from bot.knowledge.followup import better, dangling, leans, options, rewrite_request
from bot.ports import History, Knowledge, Model
from bot.types import (
    ChatRequest,
    ChatTurn,
    Done,
    Earlier,
    Findings,
    Means,
    MemoryId,
    ModelDone,
    Person,
    Place,
    Turn,
    Usage,
    value,
)

LOOKED_BACK = 6
"""Turns read for what a message leans on."""
REWRITE_SECONDS = 2.0
"""What a rewriting may take of the person's patience; then the free search stands."""
REWRITE_TOKENS = 120


@value
class Question:
    """What is asked, by whom, where, and in which language it will be answered.

    `said`: the pieces there are of its answer, which broke off; the rest is asked for. `past`: what
    was said before it, where that is not what history ends with. `unclear`: it points at something
    that was never listed, so that only the person can say what is asked.
    """

    text: str
    locale: str
    person: Person
    place: Place
    memory: MemoryId
    end_user: str
    deadline: float | None = None
    means: Means = "full"
    said: tuple[str, ...] = ()
    past: tuple[Turn, ...] | None = None
    unclear: bool = False


@value
class Meant:
    """What was found, the question it answers, and what finding that out cost."""

    findings: Findings
    question: str
    usage: Usage = Usage()
    model: str = ""
    unclear: bool = False

    def paid(self, done: Done) -> Done:
        """The end of the answer with the cost of understanding the question."""
        if not self.usage.total:
            return done
        ours, theirs = self.usage, done.usage
        both = Usage(
            prompt=ours.prompt + theirs.prompt,
            completion=ours.completion + theirs.completion,
            cached=ours.cached + theirs.cached,
            reasoning=ours.reasoning + theirs.reasoning,
            estimated=ours.estimated or theirs.estimated,
        )
        return replace(done, usage=both, model=done.model or self.model)


class Leaning:
    """Finds what a message means together with what its memory holds."""

    def __init__(self, knowledge: Knowledge, history: History, model: Model) -> None:
        self._knowledge = knowledge
        self._history = history
        self._model = model

    async def find(self, question: Question, *, may_speak: bool) -> Meant:
        """Free of charge where that suffices; else, where a model may be asked, in its wording.

        What is out of scope all the same keeps the person's own words.
        """
        turns: Sequence[Turn] = question.past or ()
        if question.past is None:
            turns = await self._history.last(question.memory, LOOKED_BACK)
        turns = turns[-LOOKED_BACK:]
        earlier = last_exchange(turns)
        if dangling(question.text, earlier.answer):
            return await self._pointed_at_nothing(question, turns, may_speak=may_speak)
        free = await self._knowledge.follow(question.text, earlier, locale=question.locale)
        if free.findings.in_scope or free.findings.direct:
            return Meant(findings=free.findings, question=free.question)
        own = Meant(findings=free.findings, question=question.text)
        if not (may_speak and earlier.question and leans(question.text, earlier.question)):
            return own
        return await self._reworded(question, turns, own)

    async def _pointed_at_nothing(
        self, question: Question, turns: Sequence[Turn], *, may_speak: bool
    ) -> Meant:
        """Only what is stored word for word answers "the second one" where nothing was listed; else
        a model may know from what was said which one that is.
        """
        alone = await self._knowledge.search(question.text, locale=question.locale)
        if alone.direct:
            return Meant(findings=alone, question=question.text)
        own = Meant(findings=Findings(), question=question.text, unclear=True)
        return await self._reworded(question, turns, own) if may_speak and turns else own

    async def _reworded(self, question: Question, turns: Sequence[Turn], own: Meant) -> Meant:
        """The search once more with a model's wording, if that comes in time and finds more."""
        text, done = await self._whole(question, turns)
        own = replace(own, usage=done.usage, model=done.model)
        if not text:
            return own
        found = await self._knowledge.search(text, locale=question.locale)
        if better(own.findings, found) is own.findings or not found.in_scope:
            return own
        return replace(own, findings=found, question=text, unclear=False)

    async def _whole(self, question: Question, turns: Sequence[Turn]) -> tuple[str, ModelDone]:
        """The message as one whole question in a model's words; empty when none came.

        An answer that is tried again does not pay for them twice: they are kept by this very turn
        of this memory.
        """
        prompt = rewrite_request(question.text, _said(turns))
        request = ChatRequest(
            turns=(ChatTurn(role="user", content=prompt),),
            locale=question.locale,
            question=sha256(f"{question.memory}\n{prompt}".encode()).hexdigest(),
            cacheable=True,
            conversation=question.place.conversation,
            deadline=question.deadline,
            temperature=0.0,
            max_tokens=REWRITE_TOKENS,
            thinking=False,
            end_user=question.end_user,
        )
        try:
            async with asyncio.timeout(REWRITE_SECONDS):
                text, done = await whole(self._model, request)
        except (ModelError, TimeoutError):
            return "", ModelDone()
        return (" ".join(text.split()) if done.finish == "whole" else ""), done


def last_exchange(turns: Sequence[Turn]) -> Earlier:
    """The newest answer and the question before it; empty where nothing was answered.

    Where that question was itself one of "the first one", the answer is the one with the list.
    """
    last = Earlier()
    for place in reversed([i for i, turn in enumerate(turns) if turn.role == "assistant"]):
        asked = [turn.text for turn in turns[:place] if turn.role == "user"]
        question = asked[-1] if asked else ""
        if not last.answer:
            last = Earlier(question=question, answer=turns[place].text)
        elif options(turns[place].text):
            return replace(last, answer=turns[place].text)
        if options(last.answer) or not dangling(question, ""):
            break
    return last


def _said(turns: Sequence[Turn]) -> list[tuple[str, str]]:
    """Who said what, as the rewriting prompt takes it."""
    return [("customer" if turn.role == "user" else "desk", turn.text) for turn in turns]
