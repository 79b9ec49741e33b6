"""Ranking arithmetic, gaps and the fitting of the two numbers."""

from __future__ import annotations

import random

import pytest

from bot.knowledge import confidence
from bot.knowledge.calibrate import Sample, adapt, calibrate
from bot.knowledge.confidence import DEFAULT, FEATURES, Calibration, Logistic
from bot.knowledge.evaluate import auroc, calibration_error
from bot.knowledge.gaps import clusters, draft_request
from bot.knowledge.port import Candidate
from bot.knowledge.rank import ALONE_MAX, ask, choose, groups, rank
from bot.knowledge.terms import mass, terms
from bot.types import Gap


def row(
    number: int, text: str, *, entry: int = 0, locale: str = "en", role: str = "question"
) -> Candidate:
    found = terms(text)
    return Candidate(
        id=number,
        entry=entry or number,
        kind="faq",
        role="question",
        ord=0,
        text=text,
        terms=" ".join(found),
        mass=mass(found),
        norm="",
        locale=locale,
    )


def test_rare_terms_are_sent_first_and_the_budget_ends_them() -> None:
    assert choose({"a": 1900, "b": 5, "c": 300, "d": 900}, 10_000) == ["b", "c", "d"]
    assert choose({"a": 6000}, 10_000) == ["a"]
    assert choose({"a": 6000, "b": 1}, 10_000) == ["b"]
    assert choose({}, 10) == []


def test_common_terms_are_sought_beside_another_where_they_touch_too_many_rows() -> None:
    few = {"a": 40, "b": 90, "c": 7000}
    assert groups(few, 100_000) == [("a",), ("b",), ("c",)]
    many = {"a": 40, "b": 3000, "c": 9000}
    assert groups(many, 100_000) == [("a",), ("a", "b"), ("a", "c"), ("b", "c")]
    assert groups({"a": ALONE_MAX + 1}, 100_000) == [("a",)]
    assert groups({}, 100_000) == []


def test_a_row_that_says_the_question_scores_one_and_a_foreign_one_nothing() -> None:
    asked = ask("return my lamp", {"return": 1, "lamp": 2, "my": 5}, 10)
    same, none = rank(asked, [row(1, "return my lamp"), row(2, "bake bread")], locale="")
    assert same.score == pytest.approx(1.0)
    assert none.score < 0.1


def test_the_askers_language_wins_among_equals_only() -> None:
    asked = ask("LM-310", {"lm310": 2, "lm": 2, "310": 2}, 10)
    rows = [row(1, "LM-310", locale="en"), row(2, "LM-310", locale="zh")]
    assert [one.entry for one in rank(asked, rows, locale="zh")] == [2, 1]
    worse = [row(1, "LM-310", locale="en"), row(2, "LM-310 and a lot of other things", locale="zh")]
    assert [one.entry for one in rank(asked, worse, locale="zh")] == [1, 2]


def test_an_entrys_rows_cover_a_question_together() -> None:
    asked = ask("refund for broken glass", {"refund": 2, "broken": 2, "glass": 2}, 20)
    rows = [
        row(1, "refund", entry=9),
        row(2, "broken glass", entry=9),
        row(3, "broken glass", entry=8),
    ]
    assert rank(asked, rows, locale="")[0].entry == 9


def noisy(seed: int) -> list[Sample]:
    chance = random.Random(seed)
    made = []
    for _ in range(600):
        score = chance.random()
        kind = chance.choice(("in", "in", "in", "near", "far"))
        right = kind == "in" and chance.random() < score
        level = score if kind != "far" else score * 0.2
        made.append(Sample(vector=(level, 0.5, level, 0, 0, 0, 0.5, 0, 0), kind=kind, right=right))  # type: ignore[arg-type]
    return made


def test_a_fit_states_probabilities_that_come_true_on_unseen_samples() -> None:
    fitted = calibrate(noisy(1))
    unseen = noisy(2)
    assert calibration_error([(fitted.top(s.vector), s.right) for s in unseen]) < 0.06
    inside = [fitted.scope(s.vector) for s in unseen if s.kind == "in"]
    assert sum(p >= fitted.scope_from for p in inside) / len(inside) > 0.7


def test_direct_answers_switch_off_where_no_threshold_is_precise() -> None:
    twins = [
        Sample(vector=(0.9, 0.5, 0.9, 0, 0, 0, 0, 0, 0), kind="in", right=n % 2 == 0)
        for n in range(300)
    ]
    assert calibrate(twins).direct_from > 1


def test_adapting_never_loosens_the_shipped_thresholds() -> None:
    adapted = adapt(DEFAULT, noisy(3))
    assert adapted.scope_from >= DEFAULT.scope_from
    assert adapted.direct_from >= DEFAULT.direct_from
    assert adapt(DEFAULT, []).scope_from == DEFAULT.scope_from


def test_a_stored_calibration_comes_back_and_a_foreign_one_is_not_believed() -> None:
    made = calibrate(noisy(4))
    assert confidence.decode(confidence.encode(made)) == made
    short = Logistic(bias=0.0, weights=(1.0,))
    other = Calibration(scope=short, top=short, scope_from=0.1, direct_from=0.1)
    assert confidence.decode(confidence.encode(other)) is DEFAULT
    assert confidence.decode("{") is DEFAULT
    assert len(DEFAULT.scope.weights) == len(FEATURES)


def test_auroc_counts_ties_half() -> None:
    assert auroc([2, 3], [1]) == 1.0
    assert auroc([1], [1]) == 0.5
    assert auroc([], [1]) is None


def test_gaps_that_ask_the_same_are_one_cluster_most_asked_first() -> None:
    asked = [
        "Do you sell curtains?",
        "do you sell curtains",
        "curtains?",
        "窗帘有吗",
        "Any parking?",
    ]
    made = clusters([Gap(question=text, locale="zh" if "窗" in text else "en") for text in asked])
    assert next((one.count, one.question) for one in made) == (3, "Do you sell curtains?")
    assert {one.question for one in made[1:]} == {"窗帘有吗", "Any parking?"}
    assert "[to be filled in]" in draft_request(made[0], ["a passage"])
    assert clusters([Gap(question="???", locale="en")]) == []


@pytest.mark.parametrize(
    ("asked", "groups"),
    [
        (["可以写名字吗", "能写上名字吗", "可以在灯上写名字吗"], 1),
        (["货到付款吗", "付款后多久到货"], 2),
        (["怎么退货", "怎么换货"], 2),
        (["Do you engrave names?", "can you engrave my name", "engrave a name on it"], 1),
        (["Do you rent lamps?", "Do you repair lamps?"], 2),
    ],
)
def test_what_people_say_around_a_question_parts_no_cluster(asked: list[str], groups: int) -> None:
    locale = "en" if asked[0].isascii() else "zh"
    assert len(clusters([Gap(question=text, locale=locale) for text in asked])) == groups
