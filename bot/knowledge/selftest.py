"""A base tests itself: each stored question asked with itself taken out, and strangers' talk."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from importlib import resources
from typing import Literal

from bot.knowledge.calibrate import Sample
from bot.knowledge.cases import Case
from bot.knowledge.looked import Hidden, Looks, nothing
from bot.knowledge.port import Candidate
from bot.knowledge.terms import fingerprint, language

ASKED_MAX = 300
"""Stored questions asked at most, evenly picked: 600 searches are two seconds of CPU."""


def strangers() -> list[str]:
    """Small talk and questions of other fields, in both languages; our own writing."""
    text = resources.files(__package__).joinpath("strangers.txt").read_text("utf-8")
    return text.split("\n")[:-1]


async def samples(kb: Looks, questions: Sequence[Candidate]) -> list[Sample]:
    """Judged searches, three kinds: a question with its own row hidden (in), with its whole entry
    hidden (near), and strangers' talk (far), unless the base holds that very sentence.
    """
    family = Counter(row.entry for row in questions)
    usable = [row for row in questions if family[row.entry] > 1]
    picked = _spread(usable, ASKED_MAX)
    alone = _spread(questions, ASKED_MAX // 2)
    known = {row.norm for row in questions}
    made = [await _sample(kb, row, "in", _same_words(row)) for row in picked]
    made += [await _sample(kb, row, "near", _same_entry(row)) for row in alone]
    for text in strangers():
        if fingerprint(text) not in known:
            looked = await kb.look(text, locale=language(text))
            made.append(Sample(vector=looked.signs.vector, kind="far", right=False))
    return made


def asked(questions: Sequence[Candidate], uids: Mapping[int, str]) -> list[tuple[Case, Hidden]]:
    """The base's own test, each question with what to hide: those whose entry has another wording,
    those with their whole entry hidden, and strangers' talk.
    """
    family = Counter(row.entry for row in questions)
    usable = _spread([row for row in questions if family[row.entry] > 1], ASKED_MAX)
    alone = _spread(questions, ASKED_MAX // 2)
    known = {row.norm for row in questions}
    return [
        *((_case(row, "in", uids), _same_words(row)) for row in usable),
        *((_case(row, "near", uids), _same_entry(row)) for row in alone),
        *(
            (Case(text=text, kind="far", locale=language(text)), nothing)
            for text in strangers()
            if fingerprint(text) not in known
        ),
    ]


def _case(row: Candidate, kind: Literal["in", "near"], uids: Mapping[int, str]) -> Case:
    rel = (uids[row.entry],) if kind == "in" else ()
    return Case(text=row.text, kind=kind, rel=rel, locale=row.locale)


async def judged(kb: Looks, cases: Sequence[Case]) -> list[Sample]:
    """Judged searches from a test set. Questions that read like a stored one tell nothing."""
    made = []
    for case in cases:
        looked = await kb.look(case.text, locale=case.locale or language(case.text))
        if not looked.exact:
            top = await kb.passages(looked, limit=1)
            right = bool(top) and bool({top[0].entry, top[0].source} & set(case.rel))
            made.append(Sample(vector=looked.signs.vector, kind=case.kind, right=right))
    return made


async def _sample(kb: Looks, row: Candidate, kind: Literal["in", "near"], hidden: Hidden) -> Sample:
    looked = await kb.look(row.text, locale=row.locale, hidden=hidden)
    found = looked.ranked[0].entry if looked.ranked else None
    return Sample(vector=looked.signs.vector, kind=kind, right=found == row.entry)


def _same_words(row: Candidate) -> Hidden:
    return lambda other: other.norm == row.norm


def _same_entry(row: Candidate) -> Hidden:
    return lambda other: other.entry == row.entry or other.norm == row.norm


def _spread(rows: Sequence[Candidate], most: int) -> list[Candidate]:
    step = max(1.0, len(rows) / most)
    return [rows[int(place * step)] for place in range(min(most, len(rows)))]
