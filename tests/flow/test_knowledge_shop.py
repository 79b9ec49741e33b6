"""The sample shop from folder to answer: the regression floor of search and confidence."""

from __future__ import annotations

import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import bot
from bot.clock import SystemClock
from bot.errors import KnowledgeError
from bot.knowledge.base import KnowledgeBase
from bot.knowledge.calibrate import calibrate
from bot.knowledge.cases import load_cases
from bot.knowledge.causes import told
from bot.knowledge.confidence import FEATURES
from bot.knowledge.evaluate import calibration_error, evaluate
from bot.knowledge.imports import DESK
from bot.knowledge.selftest import judged
from storage.passages import PassageStore
from storage.sqlite import SqliteDatabase
from tests.fakes.inline_database import InlineDatabase
from tests.flow.shop import shop_database

NEAR_MISSES = Path(__file__).parent.parent / "data" / "near-misses.jsonl"
GAP = FEATURES.index("gap")
SAMPLES = Path(bot.__file__).parent / "samples"


@pytest.fixture
async def empty() -> AsyncIterator[KnowledgeBase]:
    database = InlineDatabase.open()
    yield KnowledgeBase(PassageStore(database), SystemClock())
    await database.close()


@pytest.fixture
async def shop() -> AsyncIterator[KnowledgeBase]:
    database = await shop_database()
    yield KnowledgeBase(PassageStore(database), SystemClock())
    await database.close()


async def test_floor_of_the_shop_set_with_the_shipped_numbers(shop: KnowledgeBase) -> None:
    cases = load_cases(SAMPLES / "shop-eval.jsonl")
    seen = await evaluate(shop, cases, SystemClock())
    assert seen.recall_1 >= 0.83
    assert seen.recall_3 >= 0.92
    assert seen.far_auroc is not None
    assert seen.far_auroc >= 0.98
    assert seen.in_scope >= 0.93
    assert seen.far_passed is not None
    assert seen.far_passed <= 0.08
    assert seen.ece <= 0.06
    assert seen.direct >= 0.36
    assert seen.direct_precision is not None
    assert seen.direct_precision >= 0.95


@pytest.mark.soak
async def test_a_base_fitted_to_its_own_cases_states_true_probabilities(
    shop: KnowledgeBase,
) -> None:
    cases = load_cases(SAMPLES / "shop-eval.jsonl")
    await shop.refit(cases)
    seen = await evaluate(shop, cases, SystemClock())
    assert seen.ece <= 0.06
    assert (await shop.calibration()).pairs >= 400


async def test_numbers_fitted_to_one_half_of_the_cases_hold_on_the_other(
    shop: KnowledgeBase,
) -> None:
    """Mean of five splits: 217 cases in ten bins are off by some .05 when all is true."""
    made = await judged(shop, load_cases(SAMPLES / "shop-eval.jsonl"))
    errors, given = [], []
    for seed in range(5):
        mixed = random.Random(seed).sample(made, len(made))
        fitted, unseen = calibrate(mixed[::2]), mixed[1::2]
        stated = [(fitted.top(one.vector), one.right) for one in unseen]
        errors.append(calibration_error(stated))
        clear = [one for one in unseen if one.vector[GAP] >= fitted.gap_from]
        given += [s.right for s in clear if fitted.top(s.vector) >= fitted.direct_from]
    assert sum(errors) / len(errors) <= 0.08, errors
    assert sum(given) / len(given) >= 0.90


async def test_without_a_model_near_misses_are_declined_and_right_answers_stay(
    shop: KnowledgeBase,
) -> None:
    """What may be shown where no model reads it: directly, or as an excerpt."""
    asked = load_cases(SAMPLES / "shop-eval.jsonl")
    missed = load_cases(NEAR_MISSES)
    shown: dict[bool, list[bool]] = {True: [], False: []}
    for case in [*(case for case in asked if case.kind == "in"), *missed]:
        found = await shop.search(case.text, locale=case.locale)
        if found.in_scope:
            right = bool({found.passages[0].entry, found.passages[0].source} & set(case.rel))
            if right or case.kind != "in":
                shown[right].append(found.direct or found.quotable)
    assert sum(shown[True]) / len(shown[True]) >= 0.85
    assert sum(shown[False]) / len(missed) <= 0.25, sum(shown[False])


async def test_no_near_miss_is_answered_directly(shop: KnowledgeBase) -> None:
    """No number was fitted to these, though bounds were chosen with them in sight; with thresholds
    moved to the base's own noise neither.
    """
    for case in load_cases(NEAR_MISSES):
        assert not (await shop.search(case.text, locale=case.locale)).direct, case.text
    await shop.refit()
    for case in load_cases(NEAR_MISSES):
        assert not (await shop.search(case.text, locale=case.locale)).direct, case.text


@pytest.mark.parametrize(
    "question", ["Do you sell rocket engines?", "你们卖火箭发动机吗？", "do you sell aquariums"]
)
async def test_what_the_shop_does_not_sell_is_not_quoted_from_its_gift_cards(
    shop: KnowledgeBase, question: str
) -> None:
    found = await shop.search(question, locale="en")
    assert not found.direct
    assert not found.in_scope or not found.quotable


async def test_a_base_without_cases_moves_thresholds_only(shop: KnowledgeBase) -> None:
    before = await shop.calibration()
    after = await shop.refit()
    assert (after.scope, after.top) == (before.scope, before.top)
    assert after.scope_from >= before.scope_from
    assert after.direct_from >= before.direct_from


@pytest.mark.parametrize(
    ("question", "locale"),
    [("How do I return an item?", "en"), ("怎么退货？", "zh"), ("怎么退货", "zh")],
)
async def test_a_stored_question_is_answered_directly(
    shop: KnowledgeBase, question: str, locale: str
) -> None:
    found = await shop.search(question, locale=locale)
    assert found.direct
    assert found.in_scope
    assert found.passages[0].exact
    assert found.passages[0].entry == f"return.{locale}"
    assert found.passages[0].url
    assert found.passages[0].answer


@pytest.mark.parametrize(
    "question",
    ["今天天气怎么样", "write me a poem", "who won the world cup", "你好", "", "???", "\x00"],
)
async def test_what_the_shop_does_not_cover_is_out_of_scope(
    shop: KnowledgeBase, question: str
) -> None:
    found = await shop.search(question, locale="en")
    assert not found.in_scope
    assert not found.direct


async def test_scores_are_bounded_and_best_first(shop: KnowledgeBase) -> None:
    found = await shop.search("how much is delivery for a bookshelf to Canada", locale="en")
    scores = [passage.score for passage in found.passages]
    assert scores
    assert scores == sorted(scores, reverse=True)
    assert all(0.0 <= score <= 1.0 for score in scores)


async def test_the_asker_reads_their_own_language_first(shop: KnowledgeBase) -> None:
    for locale in ("en", "zh"):
        found = await shop.search("LM-310", locale=locale)
        assert found.passages[0].locale == locale


async def test_an_answer_in_the_other_language_alone_is_not_hidden(
    empty: KnowledgeBase, tmp_path: Path
) -> None:
    (tmp_path / "faq.csv").write_text("question,answer\nWhat is the ZX-900 hub?,A box.\n")
    await empty.import_folder(tmp_path)
    found = await empty.search("ZX-900 是什么", locale="zh")
    assert [passage.locale for passage in found.passages] == ["en"]


async def test_a_small_faq_answers_and_abstains(empty: KnowledgeBase, tmp_path: Path) -> None:
    (tmp_path / "faq.csv").write_text(
        "question,answer\nDo you have parking?,Yes.\nCan I bring my dog?,No.\n"
    )
    await empty.import_folder(tmp_path)
    assert (await empty.search("is there parking", locale="en")).in_scope
    assert (await empty.search("may I bring a dog", locale="en")).passages[0].answer == "No."
    assert not (await empty.search("what is the capital of Peru", locale="en")).in_scope


async def test_importing_again_changes_nothing(shop: KnowledgeBase) -> None:
    first = await shop.search("Where is my order?", locale="en")
    report = await shop.import_folder(SAMPLES / "shop")
    assert (report.unchanged, report.moved) == (6, False)
    assert (await shop.search("Where is my order?", locale="en")).generation == first.generation


async def test_one_changed_line_moves_one_entry(empty: KnowledgeBase, tmp_path: Path) -> None:
    file = tmp_path / "faq.csv"
    file.write_text("id,question,answer\na,Red one?,1\nb,Blue one?,2\n")
    await empty.import_folder(tmp_path)
    file.write_text("id,question,answer\na,Red one?,1\nb,Blue one?,3\nc,Green one?,4\n")
    report = await empty.import_folder(tmp_path)
    assert (report.added, report.changed, report.removed) == (1, 1, 0)
    assert (await empty.search("blue one?", locale="en")).passages[0].answer == "3"


async def test_a_file_that_went_is_forgotten_and_other_sources_stay(
    empty: KnowledgeBase, tmp_path: Path
) -> None:
    folder = tmp_path / "kb"
    folder.mkdir()
    (folder / "a.csv").write_text("question,answer\nRed one?,1\n")
    (folder / "b.csv").write_text("question,answer\nBlue one?,2\n")
    (tmp_path / "c.csv").write_text("question,answer\nGreen one?,3\n")
    await empty.import_file(tmp_path / "c.csv")
    await empty.import_folder(folder)
    (folder / "a.csv").unlink()
    report = await empty.import_folder(folder)
    assert report.removed == 1
    assert not (await empty.search("Red one?", locale="en")).direct
    assert (await empty.search("Green one?", locale="en")).direct


async def test_a_broken_file_keeps_what_it_gave_before_and_the_rest_comes_in(
    empty: KnowledgeBase, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_text("question,answer\nRed one?,1\n")
    await empty.import_folder(tmp_path)
    (tmp_path / "a.csv").write_text("question,answer\nRed one?,\n")
    (tmp_path / "b.md").write_text("# Blue\n\nBlue text.\n")
    (tmp_path / "photo.jpg").write_bytes(b"x")
    report = await empty.import_folder(tmp_path)
    assert [told(one, "en") for one in report.failed] == ["a.csv, line 2: the answer is empty"]
    assert report.skipped == ("photo.jpg",)
    assert (await empty.search("red one", locale="en")).passages[0].answer == "1"
    assert (await empty.search("blue text", locale="en")).passages[0].source == "b.md"


async def test_a_single_file_that_cannot_be_read_is_refused(
    empty: KnowledgeBase, tmp_path: Path
) -> None:
    with pytest.raises(KnowledgeError, match=r"gone\.csv: there is no such file"):
        await empty.import_file(tmp_path / "gone.csv")
    with pytest.raises(KnowledgeError, match="there is no such folder"):
        await empty.import_folder(tmp_path / "gone")


async def test_a_file_over_the_limit_is_not_read(tmp_path: Path) -> None:
    database = InlineDatabase.open()
    base = KnowledgeBase(PassageStore(database), SystemClock(), file_max=100)
    (tmp_path / "big.txt").write_text("x" * 101)
    with pytest.raises(KnowledgeError, match=r"big\.txt: .* are not read"):
        await base.import_file(tmp_path / "big.txt")
    await database.close()


async def test_two_answers_to_one_question_are_reported_and_never_given_directly(
    empty: KnowledgeBase, tmp_path: Path
) -> None:
    (tmp_path / "a.csv").write_text(
        "id,question,answer\na,Is it free?,Yes\nb,is it FREE,No\n"
        "c,How tall is the lamp?,5\nd,How tall is a lamp?,6\n"
    )
    report = await empty.import_folder(tmp_path)
    assert [(t.first, t.second, t.nearness, t.conflict) for t in report.twins] == [
        ("a", "b", "same", True),
        ("c", "d", "near", True),
    ]
    found = await empty.search("is it free?", locale="en")
    assert not found.direct
    assert {p.entry for p in found.passages if p.exact} == {"a", "b"}


async def test_knowledge_survives_a_restart(tmp_path: Path) -> None:
    path = str(tmp_path / "desk.db")
    database = await SqliteDatabase.open(path, clock=SystemClock())
    await KnowledgeBase(PassageStore(database), SystemClock()).import_folder(SAMPLES / "shop")
    await database.close()
    database = await SqliteDatabase.open(path, clock=SystemClock(), read_only=True)
    found = await KnowledgeBase(PassageStore(database), SystemClock()).search(
        "怎么退货", locale="zh"
    )
    assert found.direct
    await database.close()
    assert DESK == "desk"
