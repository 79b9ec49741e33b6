"""The full-text index: in one piece after a merge, which is many short transactions."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bot.clock import SystemClock
from bot.knowledge import drafts
from bot.knowledge.base import KnowledgeBase
from bot.knowledge.chunk import Section
from bot.knowledge.port import Candidate, Hits, Switch
from bot.knowledge.rank import groups
from bot.knowledge.terms import fingerprint, terms
from storage import passages
from storage.database import Work
from storage.driver import sqlite
from storage.passages import PassageStore
from storage.sqlite import SqliteDatabase, T
from storage.statements import statements

LIMIT = {"faq": 20, "doc": 20}


class Counted(SqliteDatabase):
    """It knows how many transactions wrote to it."""

    writes = 0

    async def write(self, work: Work[T], /) -> T:
        self.writes += 1
        return await super().write(work)


@pytest.fixture
async def database(tmp_path: Path) -> AsyncIterator[Counted]:
    opened = await Counted.open(str(tmp_path / "desk.db"), clock=SystemClock())
    yield opened
    await opened.close()


async def staged(store: PassageStore, batches: int, rows: int) -> None:
    """So many FAQs in so many transactions, made live."""
    generation = await store.next_generation()
    for batch in range(batches):
        names = [f"lamp {batch * rows + row} of hall {row * 7919}" for row in range(rows)]
        await store.stage(
            generation,
            [drafts.faq(source="", question=n, answer=f"see {n}", uid=n) for n in names],
        )
    await store.switch(Switch(generation=generation, at=0, by="", note=""))


def pieces(database: SqliteDatabase, index: str) -> int:
    """Of how many b-trees an FTS5 index is made (its `_idx` table has a segment id in each row)."""
    base = sqlite.connect(database.path)
    try:
        (found,) = base.execute(f"SELECT count(DISTINCT segid) FROM kb_{index}_idx").fetchone()
    finally:
        base.close()
    return int(found)


async def find(store: PassageStore, question: str) -> Hits:
    return await store.find(terms(question), fingerprint(question), groups, limit=LIMIT)


async def test_merging_leaves_one_piece_of_each_index_and_finds_the_same(database: Counted) -> None:
    store = PassageStore(database)
    await staged(store, batches=5, rows=30)
    before = await find(store, "hall lamp 31")
    assert before.found
    assert (pieces(database, "faq"), pieces(database, "doc")) == (5, 5)
    await store.merge()
    assert (pieces(database, "faq"), pieces(database, "doc")) == (1, 1)
    assert await find(store, "hall lamp 31") == before


async def test_an_import_merges_nothing_on_its_way_and_small_changes_do(database: Counted) -> None:
    store = PassageStore(database)
    await staged(store, batches=20, rows=passages._MANY)
    assert pieces(database, "faq") == 20
    await staged(store, batches=1, rows=1)
    assert pieces(database, "faq") < 20


async def test_a_merge_holds_the_writer_for_some_pages_at_a_time(
    database: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passages, "_MERGE_PAGES", 1)
    store = PassageStore(database)
    await staged(store, batches=4, rows=300)
    database.writes = 0
    await store.merge()
    assert database.writes > 2 * len(passages.KINDS)
    assert (pieces(database, "faq"), pieces(database, "doc")) == (1, 1)


async def test_a_large_import_lets_no_more_than_some_pieces_lie_for_searches_beside_it(
    database: Counted,
) -> None:
    """They are merged between its transactions, not within one that all others wait for."""
    store = PassageStore(database)
    generation = await store.next_generation()
    most = 0
    for batch in range(passages._PIECES + 10):
        names = [f"lamp {batch} of hall {row}" for row in range(passages._MANY)]
        made = [drafts.faq(source="", question=n, answer=f"see {n}", uid=n) for n in names]
        await store.stage(generation, made)
        most = max(most, pieces(database, "faq"))
    assert most == passages._PIECES - 1
    assert pieces(database, "faq") < passages._PIECES / 2


async def test_a_long_text_is_taken_in_and_out_some_of_it_at_a_time(
    database: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A document without headings is one entry; no transaction holds the writer for all of it."""
    monkeypatch.setattr(passages, "_PORTION", 2_000)
    monkeypatch.setattr(passages, "_TEXTS", 10)
    store = PassageStore(database)
    said = tuple(" ".join(f"word{number}x{at}" for at in range(150)) for number in range(60))
    made = drafts.section("a.txt", Section(path=("A",), blocks=said), uid="a")
    assert made is not None
    generation = await store.next_generation()
    database.writes = 0
    await store.stage(generation, [made])
    taken = sum(len(text.terms) for text in made.texts)
    assert database.writes >= taken / 4_000 > 3
    await store.switch(Switch(generation=generation, at=0, by="", note=""))
    [entry] = await store.entries()
    assert await store.texts(entry.id) == list(made.texts)
    assert "word59x7" in (await find(store, "word59x7")).found[0].text
    database.writes = 0
    await store.switch(Switch(generation=generation + 1, at=0, by="", note="", retired=(entry.id,)))
    await store.purge(1)
    assert database.writes > 6
    assert not (await find(store, "word59x7")).frequencies
    assert await store.texts(entry.id) == []


@pytest.mark.parametrize("most", [1, 2, 3, 100])
async def test_an_entry_of_many_short_texts_is_dropped_whole(
    database: Counted, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """However many of them are taken out at once."""
    monkeypatch.setattr(passages, "_TEXTS", most)
    store = PassageStore(database)
    aliases = [f"alias {number} of lamps" for number in range(5)]
    made = drafts.faq(source="", question="what lamps", answer="see", aliases=aliases, uid="a")
    other = drafts.faq(source="", question="which chairs", answer="see", uid="b")
    generation = await store.next_generation()
    await store.stage(generation, [made, other])
    await store.switch(Switch(generation=generation, at=0, by="", note=""))
    gone = tuple(entry.id for entry in await store.entries())
    await store.switch(Switch(generation=generation + 1, at=0, by="", note="", retired=gone))
    await store.purge(1)
    assert [await store.texts(entry) for entry in gone] == [[], []]
    assert not (await find(store, "alias lamps chairs")).frequencies
    assert [known.id for known in await store.generations()] == [generation + 1]


class Killed(Exception):
    """The process ends between two transactions."""


async def test_nobody_goes_back_to_a_state_of_which_a_part_is_dropped(
    database: Counted, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A purge is many transactions; killed between two of them, it is finished by the next."""
    monkeypatch.setattr(passages, "_PURGE_BATCH", 2)
    store = PassageStore(database)
    await staged(store, batches=1, rows=10)
    [first] = await store.generations()
    gone = tuple(entry.id for entry in await store.entries())
    await store.switch(Switch(generation=first.id + 1, at=0, by="", note="", retired=gone))
    write, left = database.write, [2]

    async def killed(work: Work[T], /) -> T:
        left[0] -= 1
        if left[0] < 0:
            raise Killed
        return await write(work)

    with monkeypatch.context() as patch:
        patch.setattr(database, "write", killed)
        with pytest.raises(Killed):
            await store.purge(1)
    assert 0 < sum([bool(await store.texts(entry)) for entry in gone]) < len(gone)
    assert [known.id for known in await store.generations()] == [first.id + 1]
    await store.switch(Switch(generation=first.id + 2, at=0, by="", note=""))
    await store.purge(1)
    assert not any([await store.texts(entry) for entry in gone])


async def test_going_back_leaves_the_index_in_one_piece(database: Counted, tmp_path: Path) -> None:
    file = tmp_path / "lamps.csv"
    kb = KnowledgeBase(PassageStore(database), SystemClock())
    for halls in (700, 1):
        rows = (f"Where is lamp {row}?,In hall {row}." for row in range(halls))
        file.write_text("\n".join(["question,answer", *rows]))
        await kb.import_file(file)
    await kb.entries.rollback(by="")
    assert len(await kb.questions()) == 700
    assert (pieces(database, "faq"), pieces(database, "doc")) == (1, 1)


async def test_an_index_in_one_piece_is_left_alone(database: Counted) -> None:
    store = PassageStore(database)
    await staged(store, batches=3, rows=30)
    await store.merge()
    database.writes = 0
    await store.merge()
    assert database.writes == len(passages.KINDS)


async def test_a_folder_taken_in_and_measured_leaves_the_index_in_one_piece(
    database: Counted, tmp_path: Path
) -> None:
    folder = tmp_path / "kb"
    folder.mkdir()
    kb = KnowledgeBase(PassageStore(database), SystemClock())
    for name in ("red", "blue", "green"):
        (folder / f"{name}.csv").write_text(f"question,answer\nWhere is the {name} lamp?,Here.\n")
        await kb.import_folder(folder)
    assert pieces(database, "faq") == 3
    (folder / "grey.csv").write_text("question,answer\nWhere is the grey lamp?,There.\n")
    await kb.import_folder(folder, refit=True)
    assert (pieces(database, "faq"), pieces(database, "doc")) == (1, 1)


async def test_a_file_taken_in_by_itself_leaves_the_index_in_one_piece(
    database: Counted, tmp_path: Path
) -> None:
    """Nobody measures the base after it: a file sent in a chat, or on the page."""
    kb = KnowledgeBase(PassageStore(database), SystemClock())
    for name in ("red", "blue"):
        file = tmp_path / f"{name}.csv"
        rows = (f"Where is {name} lamp {row}?,In hall {row}." for row in range(700))
        file.write_text("\n".join(["question,answer", *rows]))
        report = await kb.import_file(file)
        assert report.added == 700
        assert (pieces(database, "faq"), pieces(database, "doc")) == (1, 1)
    database.writes = 0
    assert not (await kb.import_file(file)).moved
    assert database.writes <= 2


@pytest.mark.parametrize(
    "statement", ["kb_find_faq", "kb_find_doc", "kb_find_exact", "kb_questions", "kb_vector_rows"]
)
def test_a_candidate_is_read_in_the_order_of_its_fields(statement: str) -> None:
    """Cells are taken by place: a statement that selects otherwise would mix them up."""
    selected = statements()[statement].removeprefix("SELECT ").partition("FROM ")[0]
    columns = tuple(column.strip().partition(".")[2] for column in selected.split(","))
    assert columns == Candidate.__struct_fields__
