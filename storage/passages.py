"""The knowledge base on a database: entries that live from one generation to another, indexed.

Nothing is changed in place. A staged entry is seen by nobody until its generation is switched to;
a retired one stays until no kept generation has it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Literal, TypeVar

from bot.errors import StorageError
from bot.knowledge.port import (
    Candidate,
    Choose,
    EntryDraft,
    Generation,
    Head,
    Hits,
    Kin,
    Pick,
    Revision,
    SourceFile,
    StoredEntry,
    Switch,
    TextDraft,
)
from bot.types import Gap, Passage
from storage.database import Cell, Database, Row, Tx
from storage.passage_rows import (
    FOREVER,
    candidate_of,
    draft_of,
    entry_cells,
    gap_of,
    generation_of,
    head_of,
    integer,
    kin_of,
    passage_of,
    revision_cells,
    revision_of,
    source_of,
    stored_of,
    text_cells,
    text_of,
)

T = TypeVar("T")

KINDS: tuple[Literal["faq", "doc"], ...] = ("faq", "doc")
_PURGE_BATCH = 200
"""Entries looked at for one transaction that drops some, so that no other write waits long."""
_PORTION = 200_000
"""Characters of terms that one transaction puts into an index or takes out: 45 ms of the writer's
time at most. Of 500 sections in one transaction it was 0.6 to 0.9 s, and a document without
headings is one entry of any length."""
_TEXTS = 200
"""Texts of an entry that are taken out at once."""
_SWITCH_BATCH = 2000
"""Entries retired, or revisions noted, in one transaction before a switch."""
_MERGE_PAGES = 200
"""Pages of 4 kB that the index is rewritten by in one transaction: 15 ms of the writer's time."""
_MANY = 100
"""Entries of one stage from which it is a part of an import, and a `merge` comes after the last."""
_USUALLY = {"automerge": 16, "crisismerge": 16, "usermerge": 4}
_IMPORTING = {"automerge": 0, "crisismerge": 500, "usermerge": 16}
"""From how many segments of a level a write to the index merges some of them (0: never), and all;
and from how many a `merge` does. All at once held the writer for 0.3 s at 100,000 rows, so that an
import does it between its transactions."""
_PIECES = 32
"""Pieces of an index from which an import merges those it made."""
_FREQUENCIES_MAX = 50_000
"""Frequencies remembered per generation; the common terms are dear to count and asked each time."""


class PassageStore:
    """`knowledge.port.Passages` over a Database."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._counted: dict[tuple[str, str], int] = {}
        self._counted_for = -1

    async def find(
        self, terms: Sequence[str], norm: str, choose: Choose, *, limit: Mapping[str, int]
    ) -> Hits:
        return await self._database.read(partial(self._found, terms, norm, choose, limit))

    async def fetch(self, candidates: Sequence[Candidate], *, around: int = 0) -> list[Passage]:
        return await self._database.read(partial(_fetched, candidates, around))

    async def search(
        self,
        terms: Sequence[str],
        norm: str,
        choose: Choose,
        pick: Pick[T],
        *,
        limit: Mapping[str, int],
        around: int,
    ) -> tuple[T, list[Passage]]:
        async def work(tx: Tx) -> tuple[T, list[Passage]]:
            made, shown = pick(await self._found(terms, norm, choose, limit, tx))
            return made, await _fetched(shown, around, tx)

        return await self._database.read(work)

    async def next_generation(self) -> int:
        await self._undo_retired()
        await self._drop(keep_from=0)
        rows = await self._database.read(lambda tx: tx.run("kb_last_ids"))
        return integer(rows[0]["generation"]) + 1

    async def stage(self, generation: int, drafts: Sequence[EntryDraft]) -> None:
        many = len(drafts) >= _MANY
        begin, *rest = _portions(drafts)

        async def work(tx: Tx) -> int:
            if many:
                await _gather(tx, _IMPORTING)
            first = integer((await tx.run("kb_last_ids"))[0]["entry"]) + 1
            entries = [entry_cells(one, n, generation) for n, one in enumerate(drafts, first)]
            await tx.run_many("kb_add_entry", entries)
            await _add(begin, first, tx)
            return first

        first = await self._database.write(work)
        for portion in rest:
            await self._database.write(partial(_add, portion, first))
        if many:
            await self._thin()

    async def switch(self, change: Switch) -> None:
        live = await self._database.read(lambda tx: tx.run("kb_live"))
        if change.generation <= integer(live[0]["generation"]):
            raise StorageError(f"knowledge generation {change.generation} was live already")
        await self._retire(change)
        await self._note(change)
        more = await self._database.read(lambda tx: _grown(tx, change.generation))

        async def work(tx: Tx) -> None:
            now = change.generation
            gone = [*change.forgotten, *(source.uri for source in change.sources)]
            await tx.run_many("kb_retire_source", [{"generation": now, "uri": u} for u in gone])
            await tx.run_many(
                "kb_add_source",
                [
                    {"uri": s.uri, "folder": s.folder, "sha256": s.sha256, "parser": s.parser}
                    | {"since": now, "until": FOREVER}
                    for s in change.sources
                ],
            )
            await tx.run("kb_add_generation", id=now, at=change.at, by=change.by, note=change.note)
            await _gather(tx, _USUALLY)
            await tx.run("kb_switch", generation=now, faq_more=more["faq"], doc_more=more["doc"])
            if change.calibration is not None:
                await tx.run("kb_calibrate", calibration=change.calibration)

        await self._database.write(work)

    async def purge(self, keep: int) -> None:
        known = await self.generations()
        if len(known) > keep:
            await self._drop(keep_from=known[keep - 1].id)

    async def merge(self) -> None:
        for kind in KINDS:
            pages = -_MERGE_PAGES
            while await self._database.write(partial(_merge, kind, pages)):
                pages = _MERGE_PAGES

    async def _thin(self) -> None:
        """Merge what an import left so far where that is many pieces."""
        for kind in KINDS:
            [pieces] = await self._all(_pieces_of, f"kb_pieces_{kind}")
            if pieces >= _PIECES:
                while await self._database.write(partial(_merge, kind, _MERGE_PAGES)):
                    pass

    async def restage(self, target: int, generation: int) -> tuple[int, ...]:
        async def lost(tx: Tx) -> tuple[Sequence[Row], Sequence[Row]]:
            live = integer((await tx.run("kb_live"))[0]["generation"])
            return (
                await tx.run("kb_lost_entries", target=target, live=live),
                await tx.run("kb_new_entries", target=target, live=live),
            )

        gone, come = await self._database.read(lost)
        for start in range(0, len(gone), _PURGE_BATCH):
            batch = [stored_of(row) for row in gone[start : start + _PURGE_BATCH]]
            drafts = [draft_of(entry, await self.texts(entry.id)) for entry in batch]
            await self.stage(generation, drafts)
        return tuple(integer(row["id"]) for row in come)

    async def sources_in(self, generation: int) -> list[SourceFile]:
        return await self._all(source_of, "kb_sources_in", target=generation)

    async def calibrate(self, calibration: str) -> None:
        await self._database.write(lambda tx: tx.run("kb_calibrate", calibration=calibration))

    async def entries(self) -> list[StoredEntry]:
        return await self._all(stored_of, "kb_entries", uid="")

    async def entry(self, uid: str) -> StoredEntry | None:
        found = await self._all(stored_of, "kb_entries", uid=uid) if uid else []
        return found[0] if found else None

    async def heads(self, uids: Sequence[str] | None = None) -> list[Head]:
        if uids is None:
            return await self._all(head_of, "kb_heads")
        return await self._all(head_of, "kb_heads_of", uids=json.dumps(uids))

    async def outdated(self, make: int, after: int, limit: int) -> list[StoredEntry]:
        return await self._all(stored_of, "kb_outdated", make=make, after=after, limit=limit)

    async def kin(self, generation: int, limit: int) -> list[Kin]:
        return await self._all(kin_of, "kb_kin", generation=generation, limit=limit)

    async def questions(self) -> list[Candidate]:
        return await self._all(candidate_of, "kb_questions")

    async def texts(self, entry: int) -> list[TextDraft]:
        return await self._all(text_of, "kb_texts", entry=entry)

    async def sources(self) -> list[SourceFile]:
        return await self._all(source_of, "kb_sources")

    async def gaps(self, since: int) -> list[Gap]:
        return await self._all(gap_of, "kb_gaps", since=since)

    async def generations(self) -> list[Generation]:
        return await self._all(generation_of, "kb_generations")

    async def revisions(self, uid: str, limit: int) -> list[Revision]:
        return await self._all(revision_of, "kb_revisions", uid=uid, limit=limit)

    async def _all(self, made: Callable[[Row], T], statement: str, **params: Cell) -> list[T]:
        """The rows of a statement as values, made where they are read: a base has many."""

        async def work(tx: Tx) -> list[T]:
            return [made(row) for row in await tx.run(statement, **params)]

        return await self._database.read(work)

    async def _found(
        self,
        terms: Sequence[str],
        norm: str,
        choose: Choose,
        limit: Mapping[str, int],
        tx: Tx,
    ) -> Hits:
        live = (await tx.run("kb_live"))[0]
        generation = integer(live["generation"])
        rows: dict[str, int] = {kind: integer(live[f"{kind}_rows"]) for kind in KINDS}
        exact = await tx.run("kb_find_exact", norm=norm, live=generation) if norm else ()
        found: list[Candidate] = []
        total: dict[str, int] = {}
        sent: set[str] = set()
        for kind in KINDS:
            if not rows[kind] or not terms:
                continue
            counts = await self._frequencies(tx, kind, terms, generation)
            for term, count in counts.items():
                total[term] = total.get(term, 0) + count
            groups = choose(counts, rows[kind])
            sent.update(*groups)
            for match in _matches(groups):
                result = await tx.run(
                    f"kb_find_{kind}", match=match, live=generation, limit=limit[kind]
                )
                found.extend(map(candidate_of, result))
                if result:
                    break
        return Hits(
            generation=generation,
            rows=rows,
            frequencies=total,
            exact=tuple(map(candidate_of, exact)),
            found=tuple(found),
            calibration=str(live["calibration"]),
            sent=frozenset(sent),
        )

    async def _retire(self, change: Switch) -> None:
        """Mark what goes, some at a time; it is live until the switch."""
        for start in range(0, len(change.retired), _SWITCH_BATCH):
            ids = json.dumps(change.retired[start : start + _SWITCH_BATCH])
            await self._database.write(
                partial(_run, "kb_retire", generation=change.generation, ids=ids)
            )

    async def _note(self, change: Switch) -> None:
        """Write down what changes, some at a time; nobody reads it until the switch."""
        for start in range(0, len(change.revisions), _SWITCH_BATCH):
            some = change.revisions[start : start + _SWITCH_BATCH]
            cells = [revision_cells(change, revision) for revision in some]
            await self._database.write(partial(_run_many, "kb_add_revision", cells))

    async def _undo_retired(self) -> None:
        """What an import that died had marked to go stays."""

        async def work(tx: Tx) -> bool:
            live = integer((await tx.run("kb_live"))[0]["generation"])
            found = await tx.run(
                "kb_retired_early", live=live, forever=FOREVER, limit=_SWITCH_BATCH
            )
            ids = json.dumps([integer(row["id"]) for row in found])
            await tx.run("kb_keep", forever=FOREVER, ids=ids)
            return bool(found)

        while await self._database.write(work):
            pass

    async def _frequencies(
        self, tx: Tx, kind: str, terms: Sequence[str], generation: int
    ) -> dict[str, int]:
        """Document frequencies; counted once per generation, since common terms are dear."""
        if generation != self._counted_for or len(self._counted) > _FREQUENCIES_MAX:
            self._counted, self._counted_for = {}, generation
        counted = self._counted
        unknown = [term for term in terms if (kind, term) not in counted]
        if unknown:
            counted.update({(kind, term): 0 for term in unknown})
            for row in await tx.run(f"kb_{kind}_frequencies", terms=json.dumps(unknown)):
                counted[kind, str(row["term"])] = integer(row["doc"])
        return {term: count for term in terms if (count := counted[kind, term])}

    async def _drop(self, *, keep_from: int) -> None:
        """Delete, some at a time, what no generation from `keep_from` on has.

        The older ones go first, so that nobody can go back to one of which a part is gone already.
        """

        async def work(tx: Tx) -> bool:
            await tx.run("kb_drop_generations", oldest=keep_from)
            live = integer((await tx.run("kb_live"))[0]["generation"])
            unseen = await tx.run("kb_unseen", oldest=keep_from, live=live, limit=_PURGE_BATCH)
            room = _PORTION
            for row in unseen:
                room -= await _remove(tx, integer(row["id"]))
                if room <= 0:
                    return True
            if len(unseen) == _PURGE_BATCH:
                return True
            await tx.run("kb_drop_revisions", live=live)
            await tx.run("kb_drop_sources", oldest=keep_from, live=live)
            return False

        while await self._database.write(work):
            pass


def _matches(groups: Sequence[Sequence[str]]) -> Iterator[str]:
    """What to ask an index for, one after another until something is found."""
    if not groups:
        return
    every = [[f'"{term}"' for term in group] for group in groups]
    yield " OR ".join(f"({' AND '.join(group)})" for group in every)
    if any(len(group) > 1 for group in every):
        yield " OR ".join(dict.fromkeys(term for group in every for term in group))


def _pieces_of(row: Row) -> int:
    return integer(row["pieces"])


async def _run(statement: str, tx: Tx, **params: Cell) -> None:
    await tx.run(statement, **params)


async def _run_many(statement: str, rows: Sequence[dict[str, Cell]], tx: Tx) -> None:
    await tx.run_many(statement, rows)


async def _gather(tx: Tx, settings: Mapping[str, int]) -> None:
    """Let more or fewer segments lie from now on; an import that dies leaves it to the next."""
    for kind in KINDS:
        for setting, segments in settings.items():
            await tx.run(f"kb_gather_{kind}", setting=setting, segments=segments)


async def _merge(kind: str, pages: int, tx: Tx) -> bool:
    """Merge some pages of one index; a negative number begins to make all its pieces one.

    False when nothing was left to do, which FTS5 tells by changing fewer than two rows.
    """
    before = integer((await tx.run("kb_changes"))[0]["changes"])
    await tx.run(f"kb_merge_{kind}", pages=pages)
    return integer((await tx.run("kb_changes"))[0]["changes"]) - before > 1


async def _grown(tx: Tx, generation: int) -> dict[str, int]:
    """How many rows of each index a generation has more than the live one."""
    more: dict[str, int] = {}
    for kind in KINDS:
        chunks = int(kind == "doc")
        come = await tx.run("kb_count_staged", generation=generation, chunks=chunks)
        gone = await tx.run("kb_count_retired", generation=generation, chunks=chunks)
        more[kind] = integer(come[0]["texts"]) - integer(gone[0]["texts"])
    return more


_Text = tuple[int, int, TextDraft]
"""A text of one of some drafts: which, the text's place there, and itself."""


def _portions(drafts: Sequence[EntryDraft]) -> list[list[_Text]]:
    """All their texts, as many in one as one transaction should index; at least one portion."""
    portions: list[list[_Text]] = [[]]
    room = _PORTION
    for number, draft in enumerate(drafts):
        for place, text in enumerate(draft.texts):
            if room <= 0:
                portions.append([])
                room = _PORTION
            portions[-1].append((number, place, text))
            room -= len(text.terms)
    return portions


async def _add(portion: Sequence[_Text], first: int, tx: Tx) -> None:
    """Put texts in; the first of their drafts has the entry `first`."""
    last = integer((await tx.run("kb_last_ids"))[0]["text"])
    texts: list[dict[str, Cell]] = []
    index: dict[str, list[dict[str, Cell]]] = {kind: [] for kind in KINDS}
    for number, (entry, place, text) in enumerate(portion, last + 1):
        texts.append(text_cells(text, number, first + entry, place))
        index[_index(text.role)].append({"id": number, "terms": text.terms})
    await tx.run_many("kb_add_text", texts)
    for kind in KINDS:
        await tx.run_many(f"kb_index_{kind}", index[kind])


async def _remove(tx: Tx, entry: int) -> int:
    """Delete an entry; the characters of terms that were taken out. Of one that has very many texts
    the first only, which counts as a whole portion: the next transaction goes on with it.
    """
    texts = await tx.run("kb_first_texts", entry=entry, limit=_TEXTS)
    for row in texts:
        await tx.run(f"kb_unindex_{_index(str(row['role']))}", id=row["id"], terms=row["terms"])
    if texts:
        await tx.run("kb_drop_texts", entry=entry, last=texts[-1]["ord"])
    if len(texts) == _TEXTS:
        return _PORTION
    await tx.run("kb_drop_entry", entry=entry)
    return sum(len(str(row["terms"])) for row in texts)


async def _fetched(candidates: Sequence[Candidate], around: int, tx: Tx) -> list[Passage]:
    ids = json.dumps([candidate.entry for candidate in candidates])
    entries = {integer(row["id"]): row for row in await tx.run("kb_fetch", ids=ids)}
    return [
        passage_of(
            found, entries[found.entry], await _text(tx, found, entries[found.entry], around)
        )
        for found in candidates
        if found.entry in entries
    ]


async def _text(tx: Tx, candidate: Candidate, entry: Row, around: int) -> str:
    if entry["kind"] == "faq" or not around:
        return candidate.text
    rows = await tx.run(
        "kb_around",
        entry=candidate.entry,
        first=candidate.ord - around,
        last=candidate.ord + around,
    )
    return "\n".join(str(row["text"]) for row in rows)


def _index(role: str) -> str:
    """Which of the two indexes holds texts of this role."""
    return "doc" if role == "chunk" else "faq"
