"""The answer station: from a question to text with its sources, or to an honest "I don't know"."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable, Sequence
from contextlib import aclosing
from dataclasses import replace

from bot.config import DeskConfig
from bot.engine import prompts
from bot.engine.citations import CitationFilter, cites, footer
from bot.engine.handoff import Handoff
from bot.engine.history import Estimate, window
from bot.engine.leaning import Leaning, Question
from bot.engine.seam import going_on
from bot.errors import ReplyRetracted, TooLong
from bot.i18n import say
from bot.ports import History, Knowledge, Model, Summary
from bot.types import (
    ChatRequest,
    ChatTurn,
    Citation,
    Done,
    Findings,
    Gap,
    Grounds,
    ModelDone,
    ModelReset,
    ModelText,
    Passage,
    Replace,
    ReplyEvent,
    Retract,
    Route,
    Text,
    Turn,
)

NOT_IN_KB = "NOT_IN_KB"
"""What the prompts tell a model to say when the passages hold no answer."""

SMALL_TALK_TOKENS = 6
"""A longer message than this is more than small talk, and the origin of its answer is said."""

PASSAGES_MAX = 8
"""Passages in one prompt; more of them cost tokens and blur the answer."""


class Answerer:
    """Answers questions in one of three modes: strict, assist, open."""

    def __init__(
        self,
        desk: DeskConfig,
        knowledge: Knowledge,
        history: History,
        model: Model,
        handoff: Handoff,
        *,
        speaks: bool,
        estimate: Estimate,
        context_tokens: int,
    ) -> None:
        self._desk = desk
        self._leaning = Leaning(knowledge, history, model)
        self._history = history
        self._model = model
        self._speaks = speaks
        self._estimate = estimate
        self._budget = context_tokens
        self._handoff = handoff

    async def answer(self, question: Question) -> AsyncIterator[ReplyEvent]:
        """The events of one answer, or of its rest, without Begin.

        Raises ModelError when no model can answer.
        """
        if self._desk.answers == "open" and self._may_speak(question):
            async for event in self._converse(question):
                yield event
            return
        meant = await self._leaning.find(question, may_speak=self._may_speak(question))
        question = replace(question, text=meant.question, unclear=meant.unclear)
        findings = meant.findings
        station = self._station(question, findings)
        async for event in station(question, findings):
            yield meant.paid(event) if isinstance(event, Done) else event

    def _may_speak(self, question: Question) -> bool:
        """A language model may be asked."""
        return self._speaks and question.means != "knowledge"

    def _station(
        self, question: Question, findings: Findings
    ) -> Callable[[Question, Findings], AsyncIterator[ReplyEvent]]:
        """Which way out these findings take."""
        if question.said and not self._may_speak(question):
            return self._lost
        if findings.passages and findings.direct and not question.said:
            return self._direct
        reads = self._may_speak(question)
        shown = findings.direct or (findings.in_scope and (reads or findings.quotable))
        if findings.passages and shown:
            return self._grounded if self._speaks else self._quoted
        if self._desk.answers != "strict" and reads:
            return self._aside
        return self._lost if question.said else self._abstain

    async def _direct(self, question: Question, findings: Findings) -> AsyncIterator[ReplyEvent]:
        """The stored answer itself, with its source; no model is asked."""
        top = findings.passages[0]
        cited = _citations((top,))
        yield Grounds(route="direct", citations=cited, confidence=findings.p_top)
        yield Text(delta=top.body)
        yield Text(delta=footer(cited, say(question.locale, "answer.source")))
        yield Done(route="direct", citations=cited, confidence=findings.p_top)

    async def _grounded(self, question: Question, findings: Findings) -> AsyncIterator[ReplyEvent]:
        """A model's answer from the passages, its citations checked."""
        passages = prompts.fitting(findings.passages[:PASSAGES_MAX], self._estimate)
        # What stands already may have cited for the whole.
        cited = any(cites(piece) for piece in question.said)
        strict = self._desk.answers == "strict" and not cited
        ear = _Ear(_citations(passages), strict=strict)
        yield Grounds(route="grounded", citations=ear.offered, confidence=findings.scope)
        async for event in self._listen(question, passages, findings.generation, ear):
            yield event
        if ear.retracted:
            yield _taken_back("grounded")
            return
        unread = ear.done.excerpt and not (findings.quotable or findings.direct)
        if ear.refused or unread or not ear.supported or (question.said and ear.done.excerpt):
            out = self._lost if question.said else self._abstain
            async for event in out(question, findings):
                yield event
            return
        if not ear.done.excerpt:
            sources = footer(ear.cited, say(question.locale, "answer.source"))
            unverified = "\n\n" + say(question.locale, "answer.unverified")
            yield Text(delta=sources or ("" if cited else unverified))
        yield _said("excerpt" if ear.done.excerpt else "grounded", ear, findings.scope)

    async def _quoted(self, question: Question, findings: Findings) -> AsyncIterator[ReplyEvent]:
        """The best passage as it stands, on a desk without a model: nothing is away that could be
        waited for, as the excerpt says that stands in for one.
        """
        top = findings.passages[0]
        label = say(question.locale, "excerpt.alone", source=top.title or top.source)
        yield Grounds(route="excerpt", confidence=findings.scope)
        yield Text(delta=f"{label}\n\n{top.body}")
        yield Done(route="excerpt", confidence=findings.scope)

    async def _aside(self, question: Question, findings: Findings) -> AsyncIterator[ReplyEvent]:
        """Nothing in the knowledge base, but a model that may chat, and says where it stands."""
        ear = _Ear((), strict=False)
        yield Grounds(route="open", confidence=findings.scope)
        async for event in self._listen(question, (), 0, ear):
            yield event
        if ear.retracted:
            yield _taken_back("open")
        elif ear.refused:
            out = self._lost if question.said else self._abstain
            async for event in out(question, findings):
                yield event
        else:
            if self._estimate(question.text) > SMALL_TALK_TOKENS:
                yield Text(delta="\n\n" + say(question.locale, "answer.not_from_kb"))
            yield _said("open", ear, findings.scope)

    async def _converse(self, question: Question) -> AsyncIterator[ReplyEvent]:
        """Plain chat with the model; no search, no refusal word."""
        ear = _Ear((), strict=False, refusals=False)
        yield Grounds(route="open")
        async for event in self._listen(question, (), 0, ear):
            yield event
        yield _taken_back("open") if ear.retracted else _said("open", ear, None)

    async def _lost(self, question: Question, findings: Findings) -> AsyncIterator[ReplyEvent]:
        """Nothing to go on with: what the first part rested on is gone, or nobody can write."""
        yield Grounds(route="declined", confidence=findings.scope)
        yield Retract(key="continue.lost")
        yield _taken_back("declined")

    async def _abstain(self, question: Question, findings: Findings) -> AsyncIterator[ReplyEvent]:
        """Say so, note the gap, and bring in a person where there is one; ask where it is unclear
        what was asked.
        """
        if question.unclear:
            yield Grounds(route="asked")
            yield Replace(text=say(question.locale, "answer.which"))
            # Who is asked back is not turned away: in a thread they go on without a mention.
            yield Done(route="asked", remember=False)
            return
        opened = await self._handoff.open(
            question.person, question.place, question.text, "ticket.reason_gap"
        )
        contact = self._desk.contact or say(question.locale, "answer.no_contact")
        end = say(question.locale, "answer.told_staff") if opened.told else contact
        yield Grounds(route="abstained", confidence=findings.scope)
        yield Replace(text=say(question.locale, "answer.not_in_kb") + "\n" + end)
        for forward in opened.forwards:
            yield forward
        gap = Gap(question=question.text, locale=question.locale, confidence=findings.scope)
        yield Done(route="abstained", changes=(gap, *opened.changes), confidence=findings.scope)

    async def _listen(
        self, question: Question, passages: Sequence[Passage], generation: int, ear: _Ear
    ) -> AsyncIterator[ReplyEvent]:
        """What the model says, as far as `ear` lets it through."""
        async with aclosing(self._ask(question, passages, generation)) as events:
            async for event in events:
                if heard := ear.take(event):
                    yield heard
        if ear.retracted:
            yield Retract(key="error.retracted")
        elif not ear.refused and ear.supported and (rest := ear.rest()):
            yield Text(delta=rest)

    async def _ask(
        self, question: Question, passages: Sequence[Passage], generation: int
    ) -> AsyncGenerator[ModelText | ModelReset | ModelDone | ReplyRetracted, None]:
        """The model's events; asked once more with half the history when the prompt is too long."""
        known = await self._history.past(question.memory, self._desk.history_turns)
        turns: Sequence[Turn] = known.turns if question.past is None else question.past
        past = known.summary
        if past is not None and question.past is None:  # what it covers need not be said twice
            turns = turns[max(0, len(turns) - past.later) :]
        budget = self._budget - (self._estimate(past.text) if past else 0)
        for attempt in (1, 2):
            request = self._request(
                question,
                passages,
                generation,
                window(turns, self._room(question, passages, budget), self._estimate),
                past,
            )
            try:
                async with (
                    aclosing(self._model.stream(request)) as said,
                    aclosing(going_on(said, question.said)) as events,
                ):
                    async for event in events:
                        if isinstance(event, ModelText | ModelReset | ModelDone):
                            yield event
            except TooLong:
                if attempt == 2:
                    raise
                turns, budget = turns[len(turns) // 2 :], budget // 2
                continue
            except ReplyRetracted as error:
                yield error
            return

    def _room(self, question: Question, passages: Sequence[Passage], budget: int) -> int:
        """Tokens left for history beside the fixed parts."""
        fixed = self._estimate(question.text) + sum(
            self._estimate(text) for text in (*(p.body for p in passages), *question.said)
        )
        return max(0, budget - fixed - 400)

    def _request(
        self,
        question: Question,
        passages: Sequence[Passage],
        generation: int,
        history: Sequence[Turn],
        past: Summary | None,
    ) -> ChatRequest:
        """The prompt for this mode."""
        turns: tuple[ChatTurn, ...]
        summary = past.text if past else ""
        if passages:
            turns = prompts.grounded(
                self._desk,
                passages,
                history,
                question.text,
                locale=question.locale,
                may_add=self._desk.answers != "strict",
                summary=summary,
            )
        else:
            turns = prompts.chat(
                self._desk,
                history,
                question.text,
                locale=question.locale,
                open_chat=self._desk.answers == "open",
                summary=summary,
            )
        return ChatRequest(
            turns=(*turns, *prompts.going_on(question.said, locale=question.locale)),
            locale=question.locale,
            question=question.text,
            passages=tuple(passages),
            generation=generation,
            conversation=question.place.conversation,
            deadline=question.deadline,
            end_user=question.end_user,
            cacheable=bool(passages)
            and not (history or question.said)
            and past is None
            and question.means == "full",
            means=question.means,
        )


class _Ear:
    """Follows one model stream: checks citations, notices a refusal, holds frames when strict.

    The first characters are held until they cannot be the refusal word; a strict answer is held
    until its first valid citation.
    """

    def __init__(self, offered: Sequence[Citation], *, strict: bool, refusals: bool = True) -> None:
        self.offered = tuple(offered)
        self.done = ModelDone()
        self.retracted = False
        self._strict = strict
        self._refusals = refusals
        self._begin()

    def _begin(self) -> None:
        """Nothing has been heard of this stream."""
        self._filter = CitationFilter(self.offered)
        self._raw = ""
        self._undecided = ""
        self._uncited = ""

    @property
    def cited(self) -> tuple[Citation, ...]:
        """What the text cites."""
        return self._filter.cited

    @property
    def supported(self) -> bool:
        """May the text stand? A strict answer needs a citation, or to be an excerpt itself."""
        return not self._strict or bool(self.cited) or self.done.excerpt

    @property
    def refused(self) -> bool:
        """The model said that the passages hold no answer."""
        return self._refusals and NOT_IN_KB in self._raw

    def take(
        self, event: ModelText | ModelReset | ModelDone | ReplyRetracted
    ) -> Text | Replace | None:
        """What may be shown because of this event."""
        match event:
            case ModelText(delta=delta):
                return self._grow(delta)
            case ModelReset():
                self._begin()
                return Replace(text="")
            case ModelDone():
                self.done = event
            case ReplyRetracted():
                self.retracted = True
        return None

    def _grow(self, delta: str) -> Text | None:
        """The text that is decided now."""
        self._raw += delta
        self._undecided += delta
        if self._refusals and NOT_IN_KB.startswith(self._raw.strip()[: len(NOT_IN_KB)]):
            return None
        text, self._undecided = self._checked(self._undecided), ""
        if self._strict and not self.cited:
            self._uncited += text
            return None
        text, self._uncited = self._uncited + text, ""
        return Text(delta=text) if text else None

    def _checked(self, text: str) -> str:
        """The text with only valid citations; as it is where none were on offer."""
        return self._filter.feed(text) if self.offered else text

    def rest(self) -> str:
        """What was held back and is text after all."""
        rest = self._uncited + self._checked(self._undecided) + self._filter.flush()
        self._uncited = self._undecided = ""
        return rest


def _said(route: Route, ear: _Ear, confidence: float | None) -> Done:
    """The end of an answer that a model gave."""
    return Done(
        route=route,
        usage=ear.done.usage,
        model=ear.done.model,
        citations=ear.cited,
        finish=ear.done.finish,
        confidence=confidence,
        cached=ear.done.cached,
    )


def _taken_back(route: Route) -> Done:
    """The end of an answer that the provider's safety check struck."""
    return Done(route=route, remember=False, outcome="declined")


def _citations(passages: Sequence[Passage]) -> tuple[Citation, ...]:
    """Numbered from 1 in the order of the prompt."""
    return tuple(
        Citation(number=number, source=passage.source, title=passage.title, url=passage.url)
        for number, passage in enumerate(passages, 1)
    )
