"""FAQs that ask the same: found at import and reported, never dropped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal

from rapidfuzz import fuzz

from bot.knowledge.port import EntryDraft, StoredEntry
from bot.knowledge.terms import LIGHT, normal, terms
from bot.types import value

ALIKE = 80.0
"""Likeness, of 100, from which two questions on the same words count as near-duplicates."""
TWINS_MAX = 50
"""How many pairs are reported."""


@value
class Twin:
    """Two questions that read (nearly) the same. `conflict`: their answers differ."""

    first: str
    second: str
    question: str
    nearness: Literal["same", "near"]
    conflict: bool


@value
class Asking:
    """One stored question as it is compared."""

    uid: str
    text: str
    answer: str
    locale: str


def askings(entries: Iterable[EntryDraft | StoredEntry]) -> list[Asking]:
    """The questions of FAQs; of stored ones the title alone, of drafts their aliases too."""
    found: list[Asking] = []
    for entry in entries:
        if entry.answer is None:
            continue
        texts = [entry.title]
        if isinstance(entry, EntryDraft):
            texts = [text.text for text in entry.texts if text.role != "chunk"]
        found += [
            Asking(uid=entry.uid, text=text, answer=entry.answer, locale=entry.locale)
            for text in texts
        ]
    return found


def twins(fresh: Sequence[Asking], old: Sequence[Asking]) -> tuple[Twin, ...]:
    """Pairs with at least one fresh question, the same wording or the same telling words."""
    shelves: dict[tuple[str, frozenset[str]], list[Asking]] = {}
    for asking in old:
        shelves.setdefault(_key(asking), []).append(asking)
    found: dict[tuple[str, str], Twin] = {}
    for asking in fresh:
        shelf = shelves.setdefault(_key(asking), [])
        for other in shelf[:TWINS_MAX]:
            twin = _twin(other, asking)
            if twin is not None:
                found.setdefault((twin.first, twin.second), twin)
        shelf.append(asking)
        if len(found) >= TWINS_MAX:
            break
    return tuple(found.values())


def _key(asking: Asking) -> tuple[str, frozenset[str]]:
    every = frozenset(terms(asking.text))
    return asking.locale, (every - LIGHT) or every


def _twin(first: Asking, second: Asking) -> Twin | None:
    if first.uid == second.uid:
        return None
    one, two = normal(first.text), normal(second.text)
    if one != two and fuzz.ratio(one, two) < ALIKE:
        return None
    return Twin(
        first=first.uid,
        second=second.uid,
        question=second.text,
        nearness="same" if one == two else "near",
        conflict=normal(first.answer) != normal(second.answer),
    )
