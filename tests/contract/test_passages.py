"""What every store of passages owes the knowledge base."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from bot.errors import BotError, StorageError
from bot.knowledge import drafts
from bot.knowledge.port import EntryDraft, Hits, Passages, Revision, SourceFile, Switch
from bot.knowledge.rank import groups
from bot.knowledge.terms import fingerprint, terms
from storage.passages import PassageStore
from tests.fakes.inline_database import InlineDatabase

LIMIT = {"faq": 20, "doc": 20}


@pytest.fixture
async def store() -> AsyncIterator[Passages]:
    database = InlineDatabase.open()
    yield PassageStore(database)
    await database.close()


def faq(question: str, answer: str = "yes", uid: str = "", source: str = "a.csv") -> EntryDraft:
    return drafts.faq(source=source, question=question, answer=answer, uid=uid or question)


async def make_live(store: Passages, *new: EntryDraft, retired: tuple[int, ...] = ()) -> int:
    generation = await store.next_generation()
    await store.stage(generation, new)
    sources = tuple(
        SourceFile(uri=uri, folder="", sha256=str(generation), parser="1")
        for uri in sorted({draft.source for draft in new})
    )
    await store.switch(
        Switch(
            generation=generation,
            at=generation * 10,
            by="me",
            note="",
            retired=retired,
            sources=sources,
            revisions=tuple(Revision(uid=d.uid, action="added", after=d.hash) for d in new),
        )
    )
    return generation


async def find(store: Passages, question: str) -> Hits:
    wanted = list(dict.fromkeys(terms(question)))
    return await store.find(wanted, fingerprint(question), groups, limit=LIMIT)


async def titles(store: Passages, question: str) -> set[str]:
    hits = await find(store, question)
    return {passage.title for passage in await store.fetch(hits.found)}


async def test_what_is_staged_is_seen_by_nobody_before_the_switch(store: Passages) -> None:
    await make_live(store, faq("red lamp"))
    generation = await store.next_generation()
    await store.stage(generation, [faq("blue lamp")])
    assert await titles(store, "lamp") == {"red lamp"}
    assert (await find(store, "blue lamp")).exact == ()


async def test_what_a_dead_import_left_is_cleared_by_the_next(store: Passages) -> None:
    await make_live(store, faq("red lamp"))
    await store.stage(await store.next_generation(), [faq("blue lamp")])
    await make_live(store, faq("green lamp"))
    assert await titles(store, "lamp") == {"red lamp", "green lamp"}
    assert (await find(store, "blue")).frequencies == {}


async def test_a_switch_brings_and_retires_at_once_and_counts_rows(store: Passages) -> None:
    await make_live(store, faq("red lamp"))
    (old,) = await store.entries()
    generation = await make_live(store, faq("blue lamp"), retired=(old.id,))
    hits = await find(store, "lamp")
    assert (hits.generation, hits.rows) == (generation, {"faq": 1, "doc": 1})
    assert [entry.title for entry in await store.entries()] == ["blue lamp"]
    assert await titles(store, "red lamp") == {"blue lamp"}


async def test_a_switch_that_fails_changes_nothing(store: Passages) -> None:
    await make_live(store, faq("red lamp"))
    (old,) = await store.entries()
    change = Switch(generation=1, at=0, by="", note="", retired=(old.id,))
    with pytest.raises(StorageError, match="was live already"):
        await store.switch(change)
    assert [entry.title for entry in await store.entries()] == ["red lamp"]


async def test_a_switch_that_dies_at_its_last_step_leaves_everything_live_and_no_trace(
    store: Passages,
) -> None:
    """What goes and who changed it are written before the switch, and not seen before it."""
    first = await make_live(store, faq("red lamp"))
    (old,) = await store.entries()
    broken = SourceFile(uri=None, folder="", sha256="", parser="")  # type: ignore[arg-type]
    change = Switch(
        generation=first + 1,
        at=0,
        by="",
        note="",
        retired=(old.id,),
        sources=(broken,),
        revisions=(Revision(uid="red lamp", action="removed"),),
    )
    with pytest.raises(Exception, match="NOT NULL"):
        await store.switch(change)
    assert await titles(store, "red lamp") == {"red lamp"}
    assert [one.action for one in await store.revisions("", 9)] == ["added"]
    await make_live(store, faq("blue lamp"))
    assert {entry.title for entry in await store.entries()} == {"red lamp", "blue lamp"}
    assert [one.action for one in await store.revisions("", 9)] == ["added", "added"]
    assert (await find(store, "lamp")).rows["faq"] == 2


async def test_purged_rows_leave_no_trace_in_the_index(store: Passages) -> None:
    for name in ("one", "two", "three", "four"):
        await make_live(
            store, faq(f"{name} lamp"), retired=tuple(e.id for e in await store.entries())
        )
    await store.purge(2)
    assert (await find(store, "lamp one two three four")).frequencies == {
        "lamp": 2,
        "three": 1,
        "four": 1,
    }
    assert [known.id for known in await store.generations()] == [4, 3]


async def test_going_back_restores_entries_and_takes_later_ones_away(store: Passages) -> None:
    first = await make_live(store, faq("red lamp"))
    (old,) = await store.entries()
    await make_live(store, faq("blue lamp"), retired=(old.id,))
    generation = await store.next_generation()
    retired = await store.restage(first, generation)
    await store.switch(Switch(generation=generation, at=0, by="", note="", retired=retired))
    assert await titles(store, "lamp") == {"red lamp"}
    assert [s.sha256 for s in await store.sources_in(first)] == ["1"]


async def test_an_exact_question_is_found_whatever_its_terms_weigh(store: Passages) -> None:
    await make_live(store, faq("What is it?"), faq("Lamp?"))
    hits = await find(store, "what is IT")
    assert [row.text for row in hits.exact] == ["What is it?"]


async def test_a_row_is_found_that_has_all_terms_of_a_group(store: Passages) -> None:
    await make_live(store, faq("red lamp"), faq("blue lamp"), faq("red chair"), faq("oak"))

    async def found(*groups: tuple[str, ...]) -> set[str]:
        hits = await store.find(["red", "lamp", "oak"], "", lambda *_: groups, limit=LIMIT)
        return {passage.title for passage in await store.fetch(hits.found)}

    assert await found(("red", "lamp")) == {"red lamp"}
    assert await found(("oak",), ("red", "lamp")) == {"oak", "red lamp"}
    assert await found() == set()


async def test_where_no_row_has_a_group_each_term_is_one(store: Passages) -> None:
    await make_live(store, faq("red lamp"), faq("oak"))
    hits = await store.find(["red", "oak"], "", lambda *_: [("red", "oak")], limit=LIMIT)
    assert {row.text for row in hits.found} == {"red lamp", "oak"}


async def test_searching_in_one_go_is_finding_picking_and_fetching(store: Passages) -> None:
    await make_live(store, faq("red lamp"), faq("blue lamp"), faq("green chair"))
    hits = await find(store, "blue lamp")
    picked = sorted(hits.found, key=lambda row: -row.id)[:1]
    again, shown = await store.search(
        terms("blue lamp"),
        fingerprint("blue lamp"),
        groups,
        lambda seen: (seen, sorted(seen.found, key=lambda row: -row.id)[:1]),
        limit=LIMIT,
        around=1,
    )
    assert again == hits
    assert [one.title for one in shown] == ["blue lamp"]
    assert shown == await store.fetch(picked, around=1)


async def test_a_chunk_comes_with_its_neighbours_and_no_more(store: Passages) -> None:
    from bot.knowledge.chunk import Section

    text = tuple(f"{word} " * 200 for word in ("alpha", "beta", "gamma", "delta"))
    part = drafts.section("g.md", Section(path=("G",), blocks=text), uid="g")
    assert part is not None
    assert len(part.texts) == 4
    await make_live(store, part)
    hits = await find(store, "beta")
    (passage,) = await store.fetch(hits.found, around=1)
    assert [w in passage.text for w in ("alpha", "beta", "gamma", "delta")] == [
        True,
        True,
        True,
        False,
    ]


async def test_revisions_are_kept_newest_first(store: Passages) -> None:
    await make_live(store, faq("red lamp"))
    await make_live(store, faq("blue lamp"))
    known = await store.revisions("", 10)
    assert [(r.uid, r.action, r.by, r.generation) for r in known] == [
        ("blue lamp", "added", "me", 2),
        ("red lamp", "added", "me", 1),
    ]
    assert [r.uid for r in await store.revisions("red lamp", 10)] == ["red lamp"]


async def test_a_calibration_is_kept_over_switches(store: Passages) -> None:
    await store.calibrate('{"x": 1}')
    await make_live(store, faq("red lamp"))
    assert (await find(store, "lamp")).calibration == '{"x": 1}'


async def test_quotes_in_a_question_cannot_break_out_of_the_match(store: Passages) -> None:
    await make_live(store, faq("red lamp"))
    for text in ('"', 'lamp" OR x', "NEAR(lamp)", "lamp*", "a AND b", "\x00", "-lamp"):
        try:
            await find(store, text)
        except BotError as error:  # pragma: no cover
            pytest.fail(f"{text!r}: {error}")
