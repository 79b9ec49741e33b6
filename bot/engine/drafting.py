"""Drafts of entries for what people asked in vain; a person reads each before it is knowledge."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import msgspec

from bot.engine.whole import whole
from bot.errors import ModelError
from bot.knowledge.base import KnowledgeBase
from bot.knowledge.gaps import Cluster, draft_request
from bot.model.wire import UNREADABLE
from bot.ports import Model
from bot.types import ChatRequest, ChatTurn

DRAFT_SECONDS = 20.0
"""For all drafts of one request, which are asked for at once."""
DRAFT_TOKENS = 600


class Draft(msgspec.Struct, frozen=True):
    """An entry as a model would write it; facts it lacks are marked in its text."""

    question: str
    answer: str
    aliases: tuple[str, ...] = ()


class Drafting:
    """Asks a model for drafts."""

    def __init__(self, knowledge: KnowledgeBase, model: Model) -> None:
        self._knowledge = knowledge
        self._model = model

    async def drafts(self, clusters: Sequence[Cluster], *, end_user: str = "") -> dict[str, Draft]:
        """By the cluster's question; one that fails, is late or is no draft is left out."""
        tasks = {one.question: asyncio.create_task(self._draft(one, end_user)) for one in clusters}
        if tasks:
            await asyncio.wait(tasks.values(), timeout=DRAFT_SECONDS)
        for task in tasks.values():
            task.cancel()
        made = await asyncio.gather(*tasks.values(), return_exceptions=True)
        return {
            question: draft
            for question, draft in zip(tasks, made, strict=True)
            if isinstance(draft, Draft)
        }

    async def _draft(self, cluster: Cluster, end_user: str) -> Draft | None:
        near = await self._knowledge.search(cluster.question, locale=cluster.locale, limit=4)
        prompt = draft_request(cluster, [passage.body for passage in near.passages])
        request = ChatRequest(
            turns=(ChatTurn(role="user", content=prompt),),
            locale=cluster.locale,
            question=cluster.question,
            conversation="drafts",
            max_tokens=DRAFT_TOKENS,
            thinking=False,
            end_user=end_user,
        )
        try:
            text, done = await whole(self._model, request)
        except ModelError:
            return None
        return read_draft(text) if done.finish == "whole" else None


def read_draft(text: str) -> Draft | None:
    """The draft in a model's words, fenced or not; None when there is none."""
    start, end = text.find("{"), text.rfind("}")
    try:
        draft = msgspec.json.decode(text[start : end + 1] if start >= 0 else "", type=Draft)
    except UNREADABLE:
        return None
    return draft if draft.question.strip() and draft.answer.strip() else None
