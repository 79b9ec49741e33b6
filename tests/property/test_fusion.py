"""Words and meaning in one score: bounded, monotone, and nothing lost or doubled."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from bot.knowledge.fusion import (
    TRIALS_MIN,
    USUAL,
    Part,
    Scale,
    Trial,
    Weights,
    chosen,
    parts,
    weighed,
)
from bot.knowledge.port import Candidate
from bot.knowledge.rank import NEIGHBOUR, Ranked, Scored

share = st.floats(0, 1)
SCALES = {"faq": Scale(low=0.2, high=0.8), "doc": Scale(low=0.1, high=0.6)}


def ranked(number: int, entry: int, kind: str, score: float, place: int = 0) -> Ranked:
    row = Candidate(
        id=number,
        entry=entry,
        kind=kind,  # type: ignore[arg-type]
        role="question" if kind == "faq" else "chunk",
        ord=place,
        text="t",
        terms="t",
        mass=1.0,
        norm="",
        locale="en",
    )
    best = Scored(
        candidate=row, covered=(), coverage=score, row_coverage=0.0, likeness=0.0, score=score
    )
    return Ranked(best=best, score=score, rows=1, covered=frozenset())


@st.composite
def found(draw: st.DrawFn) -> list[Part]:
    made = []
    for number in range(draw(st.integers(0, 12))):
        kind = draw(st.sampled_from(["faq", "doc"]))
        entry = number if kind == "faq" else 100 + draw(st.integers(0, 2))
        place = draw(st.integers(0, 9)) if kind == "doc" else 0
        lexical = draw(share)
        made.append(
            Part(
                ranked=ranked(number, entry, kind, lexical, place),
                lexical=lexical,
                nearness=draw(st.none() | share),
            )
        )
    return made


weights = st.builds(Weights, faq=share, doc=share)


@given(found(), weights)
def test_the_mixture_lies_between_its_halves_and_orders_the_list(
    given_parts: list[Part], used: Weights
) -> None:
    made = weighed(given_parts, used, locale="zh")
    for one in made:
        near = one.lexical if one.nearness is None else one.nearness
        assert min(one.lexical, near) - 1e-9 <= one.score <= max(one.lexical, near) + 1e-9
        assert one.ranked.score == one.score
    assert [one.score for one in made] == sorted((one.score for one in made), reverse=True)


@given(found(), weights)
def test_every_faq_stays_once_and_chunks_of_a_document_do_not_overlap(
    given_parts: list[Part], used: Weights
) -> None:
    made = weighed(given_parts, used, locale="en")
    faqs = [one.entry for one in made if one.kind == "faq"]
    assert sorted(faqs) == sorted(one.entry for one in given_parts if one.kind == "faq")
    for one in made:
        for other in made:
            if one is not other and one.entry == other.entry:
                places = [part.ranked.best.candidate.ord for part in (one, other)]
                assert abs(places[0] - places[1]) > 2 * NEIGHBOUR
    assert {one.entry for one in made} == {one.entry for one in given_parts}


@given(found())
def test_without_weight_meaning_changes_nothing(given_parts: list[Part]) -> None:
    """And what has no vector is never held against what has."""
    none = Weights(faq=0.0, doc=0.0)
    blind = [replace(one, nearness=None) for one in given_parts]
    assert [one.score for one in weighed(given_parts, none, locale="en")] == [
        one.score for one in weighed(blind, USUAL, locale="en")
    ]


@given(st.floats(-1, 1), st.floats(-1, 1))
def test_nearness_is_bounded_and_never_turns_the_cosines_order(one: float, other: float) -> None:
    low, high = sorted((one, other))
    for scale in SCALES.values():
        assert 0.0 <= scale(low) <= scale(high) <= 1.0


def test_an_entry_found_twice_keeps_its_better_words_and_its_nearest_rows() -> None:
    """Once among the rows that share words, once among those that are near."""
    twice = [ranked(1, 7, "faq", 0.2), ranked(2, 7, "faq", 0.5)]
    rows = [one.best.candidate for one in twice]
    (made,) = parts(twice, rows, {1: 0.8, 2: 0.2}, SCALES)  # type: ignore[arg-type]
    assert made.lexical == 0.5
    assert made.nearness is not None
    assert 0.7 < made.nearness < 1.0
    (blind,) = parts(twice, rows, {}, SCALES)  # type: ignore[arg-type]
    assert blind.nearness is None


# --- the weight that a self-test chooses ----------------------------------------------------------


def trials(count: int, *, words: float, meant: float) -> list[Trial]:
    """The right entry scores so by words and by meaning, a wrong one the other way round."""
    pair = (
        Part(ranked=ranked(2, 2, "faq", words), lexical=words, nearness=meant),
        Part(ranked=ranked(1, 1, "faq", meant), lexical=meant, nearness=words),
    )
    return [Trial(parts=pair, right=frozenset({2}), locale="en")] * count


def test_a_base_whose_words_mislead_trusts_meaning_more_and_the_other_way_round() -> None:
    """No further than it must: the first weight on the way that answers as well as the best."""
    assert chosen(trials(TRIALS_MIN, words=0.2, meant=0.8)) == replace_faq(0.6)
    assert chosen(trials(TRIALS_MIN, words=0.8, meant=0.2)) == USUAL
    assert chosen(trials(TRIALS_MIN, words=0.8, meant=0.2), replace_faq(0.7)) == replace_faq(0.4)


def replace_faq(weight: float) -> Weights:
    return Weights(faq=weight, doc=USUAL.doc)


def test_few_trials_or_none_of_a_kind_move_nothing() -> None:
    assert chosen(trials(TRIALS_MIN - 1, words=0.2, meant=0.8)) == USUAL
    assert chosen([]) == USUAL
    assert chosen(trials(TRIALS_MIN, words=0.2, meant=0.8)).doc == USUAL.doc
