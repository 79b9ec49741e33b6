"""What every store of vectors owes the search by meaning."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.knowledge import drafts
from bot.knowledge.chunk import Section
from bot.knowledge.meaning import MEANT_MAX, Packed, Standing, Wanting
from bot.knowledge.port import EntryDraft, Switch
from storage import Stores
from tests.contract.stores import KINDS, HandClock, opened

ONE = Packed(scale=0.5, content=bytes([1, 255, 0]))
TWO = Packed(scale=0.25, content=bytes([7, 8, 9]))


@pytest.fixture(params=KINDS)
async def stores(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Stores]:
    async with opened(request.param, tmp_path, HandClock()) as made:
        yield made


def faq(question: str, *aliases: str, answer: str = "Yes.") -> EntryDraft:
    return drafts.faq(source="a.csv", question=question, aliases=aliases, answer=answer)


async def switch(stores: Stores, *new: EntryDraft, retired: tuple[int, ...] = ()) -> int:
    generation = await stores.passages.next_generation()
    await stores.passages.stage(generation, new)
    await stores.passages.switch(
        Switch(generation=generation, at=1, by="", note="", retired=retired)
    )
    return generation


async def missing(stores: Stores, name: str = "e") -> list[Wanting]:
    return await stores.vectors.missing(name, after=0, limit=100)


async def embed_all(stores: Stores, name: str = "e", packed: Packed = ONE) -> None:
    await stores.vectors.keep(name, [(text, packed) for text in await missing(stores, name)])


async def test_live_texts_are_missing_until_their_vectors_are_kept(stores: Stores) -> None:
    """Some at a time, by number, each once."""
    await switch(stores, faq("One?", "First?"), faq("Two?"))
    first = await stores.vectors.missing("e", after=0, limit=2)
    rest = await stores.vectors.missing("e", after=first[-1].id, limit=100)
    assert [text.text for text in (*first, *rest)] == ["One?", "First?", "Yes.", "Two?", "Yes."]
    await stores.vectors.keep("e", [(text, ONE) for text in first])
    assert await missing(stores) == rest
    assert await stores.vectors.standing("e") == Standing(generation=1, texts=5, done=2)
    await embed_all(stores)
    assert await missing(stores) == []
    assert (await stores.vectors.standing("e")).whole


async def test_rows_say_what_was_kept_and_of_which_index(stores: Stores) -> None:
    await switch(stores, faq("One?", "First?"))
    texts = await missing(stores)
    await stores.vectors.keep("e", [(texts[0], ONE), (texts[2], TWO)])
    await stores.vectors.keep("e", [(texts[0], TWO)])
    rows = await stores.vectors.rows("e", after=0, limit=10)
    assert [(row.id, row.index, row.packed) for row in rows] == [
        (texts[0].id, "faq", ONE),
        (texts[2].id, "doc", TWO),
    ]
    assert await stores.vectors.rows("e", after=texts[0].id, limit=10) == rows[1:]
    assert await stores.vectors.rows("other", after=0, limit=10) == []


async def test_what_reads_the_same_is_known_by_its_key_and_gone_with_its_texts(
    stores: Stores,
) -> None:
    """So a changed answer does not embed its questions again; a purged text leaves nothing."""
    await switch(stores, faq("One?"))
    old = await missing(stores)
    await embed_all(stores)
    await switch(stores, faq("One?", answer="No."), retired=(1,))
    new = await missing(stores)
    assert [text.text for text in new] == ["One?", "No."]
    known = await stores.vectors.known("e", [text.key for text in new])
    assert known == {new[0].key: ONE} == {old[0].key: ONE}
    await embed_all(stores)
    assert await stores.vectors.standing("e") == Standing(generation=2, texts=2, done=2)
    await stores.passages.purge(1)
    rows = await stores.vectors.rows("e", after=0, limit=10)
    assert [row.id for row in rows] == [text.id for text in new]
    await stores.vectors.keep("e", [(old[0], ONE)])  # its text is gone: nothing to keep
    assert len(await stores.vectors.known("e", [old[0].key, old[1].key])) == 1


async def test_retired_texts_have_no_part_in_a_search(stores: Stores) -> None:
    await switch(stores, faq("One?"), faq("Two?"))
    await embed_all(stores)
    texts = [row.id for row in await stores.vectors.rows("e", after=0, limit=10)]
    generation = await switch(stores, retired=(1,))
    live = await stores.vectors.candidates(texts, generation=generation)
    assert {row.text for row in live} == {"Two?", "Yes."}
    assert {row.id for row in live} == {
        row.id for row in await stores.vectors.rows("e", after=0, limit=10)
    }
    assert len(await stores.vectors.candidates(texts, generation=generation - 1)) == len(texts)
    assert await stores.vectors.candidates([], generation=generation) == []


async def test_a_section_is_embedded_under_its_heading_and_never_longer_than_told(
    stores: Stores,
) -> None:
    section = drafts.section("a.md", Section(path=("Care", "Lamps"), blocks=("Wipe.",)), uid="u")
    assert section is not None
    await switch(stores, section, faq("q", answer="x" * 9000))
    texts = [text.text for text in await missing(stores)]
    assert texts[0] == "Care › Lamps\nWipe."
    assert max(map(len, texts)) == MEANT_MAX


async def test_other_embedders_vectors_are_forgotten_some_at_a_time(stores: Stores) -> None:
    await switch(stores, faq("One?"), faq("Two?"))
    await embed_all(stores, "old")
    await embed_all(stores, "new")
    assert await stores.vectors.forget_others("new", limit=3) == 3
    assert await stores.vectors.forget_others("new", limit=3) == 1
    assert (await stores.vectors.standing("old")).done == 0
    assert (await stores.vectors.standing("new")).whole


async def test_how_much_of_the_base_is_another_since_a_generation(stores: Stores) -> None:
    assert await stores.vectors.moved(0) == 0.0
    first = await switch(stores, *(faq(f"Question {name}?") for name in "abcd"))
    assert await stores.vectors.moved(0) == 1.0
    assert await stores.vectors.moved(first) == 0.0
    await switch(stores, faq("Question a?", answer="No."), retired=(1,))
    assert await stores.vectors.moved(first) == 0.25


async def test_a_fit_is_kept_per_embedder_with_its_generation(stores: Stores) -> None:
    assert await stores.vectors.fit("e") == (0, "")
    await stores.vectors.keep_fit("e", 3, "{}")
    await stores.vectors.keep_fit("e", 4, '{"a": 1}')
    assert await stores.vectors.fit("e") == (4, '{"a": 1}')
    assert await stores.vectors.fit("f") == (0, "")
    assert await stores.vectors.generation() == 0
