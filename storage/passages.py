"""The knowledge base on a database: entries that live from one generation to another, indexed.

Nothing is changed in place. A staged entry is seen by nobody until its generation is switched to;
a retired one stays until no kept generation has it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Literal, cast

from bot.knowledge.port import (
    Candidate,
    Choose,
    EntryDraft,
    Generation,
    Hits,
    Revision,
    SourceFile,
    StoredEntry,
    Switch,
    TextDraft,
)
from bot.types import Gap, Passage
from storage.database import Cell, Database, Row, Tx

FOREVER = 2**62
"""`until` of what is live."""
KINDS: tuple[Literal["faq", "doc"], ...] = ("faq", "doc")
_PURGE_BATCH = 200
"""Entries dropped in one transaction, so that no other write waits long."""
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
        async def work(tx: Tx) -> Hits:
            live = (await tx.run("kb_live"))[0]
            generation = _int(live["generation"])
            rows: dict[str, int] = {kind: _int(live[f"{kind}_rows"]) for kind in KINDS}
            exact = await tx.run("kb_find_exact", norm=norm, live=generation) if norm else ()
            found: list[Candidate] = []
            total: dict[str, int] = {}
            for kind in KINDS:
                if not rows[kind] or not terms:
                    continue
                counts = await self._frequencies(tx, kind, terms, generation)
                for term, count in counts.items():
                    total[term] = total.get(term, 0) + count
                chosen = choose(counts, rows[kind])
                if chosen:
                    match = " OR ".join(f'"{term}"' for term in chosen)
                    result = await tx.run(
                        f"kb_find_{kind}", match=match, live=generation, limit=limit[kind]
                    )
                    found.extend(map(candidate_of, result))
            return Hits(
                generation=generation,
                rows=rows,
                frequencies=total,
                exact=tuple(map(candidate_of, exact)),
                found=tuple(found),
                calibration=str(live["calibration"]),
            )

        return await self._database.read(work)

    async def fetch(self, candidates: Sequence[Candidate], *, around: int = 0) -> list[Passage]:
        async def work(tx: Tx) -> list[Passage]:
            ids = json.dumps([candidate.entry for candidate in candidates])
            entries = {_int(row["id"]): row for row in await tx.run("kb_fetch", ids=ids)}
            return [
                _passage(
                    found,
                    entries[found.entry],
                    await _text(tx, found, entries[found.entry], around),
                )
                for found in candidates
                if found.entry in entries
            ]

        return await self._database.read(work)

    async def next_generation(self) -> int:
        await self._drop(keep_from=0)
        rows = await self._database.read(lambda tx: tx.run("kb_last_ids"))
        return _int(rows[0]["generation"]) + 1

    async def stage(self, generation: int, drafts: Sequence[EntryDraft]) -> None:
        async def work(tx: Tx) -> None:
            last = (await tx.run("kb_last_ids"))[0]
            await _add(tx, drafts, generation, _int(last["entry"]), _int(last["text"]))

        await self._database.write(work)

    async def switch(self, change: Switch) -> None:
        async def work(tx: Tx) -> None:
            now = change.generation
            await tx.run("kb_retire", generation=now, ids=json.dumps(change.retired))
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
            await tx.run_many(
                "kb_add_revision", [_revision_cells(change, r) for r in change.revisions]
            )
            await tx.run("kb_add_generation", id=now, at=change.at, by=change.by, note=change.note)
            await tx.run("kb_switch", generation=now)
            if change.calibration is not None:
                await tx.run("kb_calibrate", calibration=change.calibration)

        await self._database.write(work)

    async def purge(self, keep: int) -> None:
        known = await self.generations()
        if len(known) > keep:
            await self._drop(keep_from=known[keep - 1].id)

    async def restage(self, target: int, generation: int) -> tuple[int, ...]:
        async def lost(tx: Tx) -> tuple[Sequence[Row], Sequence[Row]]:
            live = _int((await tx.run("kb_live"))[0]["generation"])
            return (
                await tx.run("kb_lost_entries", target=target, live=live),
                await tx.run("kb_new_entries", target=target, live=live),
            )

        gone, come = await self._database.read(lost)
        for start in range(0, len(gone), _PURGE_BATCH):
            batch = [_stored(row) for row in gone[start : start + _PURGE_BATCH]]
            drafts = [_draft(entry, await self.texts(entry.id)) for entry in batch]
            await self.stage(generation, drafts)
        return tuple(_int(row["id"]) for row in come)

    async def sources_in(self, generation: int) -> list[SourceFile]:
        rows = await self._database.read(lambda tx: tx.run("kb_sources_in", target=generation))
        return [_source(row) for row in rows]

    async def calibrate(self, calibration: str) -> None:
        await self._database.write(lambda tx: tx.run("kb_calibrate", calibration=calibration))

    async def entries(self) -> list[StoredEntry]:
        return [_stored(row) for row in await self._database.read(lambda tx: tx.run("kb_entries"))]

    async def questions(self) -> list[Candidate]:
        return [candidate_of(row) for row in await self._database.read(_all_questions)]

    async def texts(self, entry: int) -> list[TextDraft]:
        rows = await self._database.read(lambda tx: tx.run("kb_texts", entry=entry))
        return [
            TextDraft(
                role=_role(row["role"]),
                text=str(row["text"]),
                norm=str(row["norm"]),
                terms=str(row["terms"]),
                mass=cast("float", row["mass"]),
            )
            for row in rows
        ]

    async def sources(self) -> list[SourceFile]:
        return [_source(row) for row in await self._database.read(lambda tx: tx.run("kb_sources"))]

    async def gaps(self, since: int) -> list[Gap]:
        rows = await self._database.read(lambda tx: tx.run("kb_gaps", since=since))
        return [
            Gap(
                question=str(row["question"]),
                locale=str(row["locale"]),
                confidence=cast("float | None", row["confidence"]),
            )
            for row in rows
        ]

    async def generations(self) -> list[Generation]:
        rows = await self._database.read(lambda tx: tx.run("kb_generations"))
        return [
            Generation(
                id=_int(row["id"]),
                at=_int(row["at"]),
                by=str(row["by"]),
                note=str(row["note"]),
                live=bool(row["live"]),
            )
            for row in rows
        ]

    async def revisions(self, uid: str, limit: int) -> list[Revision]:
        rows = await self._database.read(lambda tx: tx.run("kb_revisions", uid=uid, limit=limit))
        return [
            Revision(
                uid=str(row["uid"]),
                action=cast("Literal['added', 'changed', 'removed']", row["action"]),
                before=str(row["before"]),
                after=str(row["after"]),
                by=str(row["by"]),
                at=_int(row["at"]),
                generation=_int(row["generation"]),
            )
            for row in rows
        ]

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
                counted[kind, str(row["term"])] = _int(row["doc"])
        return {term: count for term in terms if (count := counted[kind, term])}

    async def _drop(self, *, keep_from: int) -> None:
        """Delete, some at a time, what no generation from `keep_from` on has."""

        async def work(tx: Tx) -> int:
            live = _int((await tx.run("kb_live"))[0]["generation"])
            unseen = await tx.run("kb_unseen", oldest=keep_from, live=live, limit=_PURGE_BATCH)
            for row in unseen:
                await _remove(tx, _int(row["id"]))
            if len(unseen) < _PURGE_BATCH:
                await tx.run("kb_drop_sources", oldest=keep_from, live=live)
                await tx.run("kb_drop_generations", oldest=keep_from)
            return len(unseen)

        while await self._database.write(work) == _PURGE_BATCH:
            pass


async def _all_questions(tx: Tx) -> Sequence[Row]:
    return await tx.run("kb_questions")


async def _add(
    tx: Tx, drafts: Sequence[EntryDraft], generation: int, entry: int, text: int
) -> None:
    entries: list[dict[str, Cell]] = []
    texts: list[dict[str, Cell]] = []
    index: dict[str, list[dict[str, Cell]]] = {kind: [] for kind in KINDS}
    for number, draft in enumerate(drafts, entry + 1):
        entries.append(_entry_cells(draft, number, generation))
        for place, item in enumerate(draft.texts):
            text += 1
            texts.append(_text_cells(item, text, number, place))
            index[_index(item.role)].append({"id": text, "terms": item.terms})
    await tx.run_many("kb_add_entry", entries)
    await tx.run_many("kb_add_text", texts)
    for kind in KINDS:
        await tx.run_many(f"kb_index_{kind}", index[kind])


async def _remove(tx: Tx, entry: int) -> None:
    texts = await tx.run("kb_texts", entry=entry)
    for row in texts:
        await tx.run(f"kb_unindex_{_index(str(row['role']))}", id=row["id"], terms=row["terms"])
    await tx.run("kb_drop_texts", entry=entry)
    await tx.run("kb_drop_entry", entry=entry)


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


def _entry_cells(draft: EntryDraft, number: int, generation: int) -> dict[str, Cell]:
    return {
        "id": number,
        "uid": draft.uid,
        "source": draft.source,
        "kind": draft.kind,
        "title": draft.title,
        "answer": draft.answer,
        "url": draft.url,
        "locale": draft.locale,
        "hash": draft.hash,
        "since": generation,
        "until": FOREVER,
    }


def _text_cells(item: TextDraft, number: int, entry: int, place: int) -> dict[str, Cell]:
    return {
        "id": number,
        "entry": entry,
        "role": item.role,
        "ord": place,
        "text": item.text,
        "norm": item.norm,
        "terms": item.terms,
        "mass": item.mass,
    }


def _revision_cells(change: Switch, revision: Revision) -> dict[str, Cell]:
    return {
        "uid": revision.uid,
        "action": revision.action,
        "before": revision.before,
        "after": revision.after,
        "by": change.by,
        "at": change.at,
        "generation": change.generation,
    }


def candidate_of(row: Row) -> Candidate:
    """An indexed text with its entry, from a row that has a column for each field."""
    return Candidate(
        id=_int(row["id"]),
        entry=_int(row["entry"]),
        kind=_kind(row["kind"]),
        role=_role(row["role"]),
        ord=_int(row["ord"]),
        text=str(row["text"]),
        terms=str(row["terms"]),
        mass=cast("float", row["mass"]),
        norm=str(row["norm"]),
        locale=str(row["locale"]),
    )


def _passage(candidate: Candidate, row: Row, text: str) -> Passage:
    return Passage(
        id=candidate.id,
        entry=str(row["uid"]),
        kind=_kind(row["kind"]),
        title=str(row["title"]),
        text=text,
        source=str(row["source"]),
        answer=_optional(row["answer"]),
        url=str(row["url"]),
        locale=str(row["locale"]),
    )


def _stored(row: Row) -> StoredEntry:
    return StoredEntry(
        id=_int(row["id"]),
        uid=str(row["uid"]),
        source=str(row["source"]),
        kind=_kind(row["kind"]),
        title=str(row["title"]),
        hash=str(row["hash"]),
        answer=_optional(row["answer"]),
        url=str(row["url"]),
        locale=str(row["locale"]),
    )


def _draft(entry: StoredEntry, texts: Sequence[TextDraft]) -> EntryDraft:
    return EntryDraft(
        uid=entry.uid,
        source=entry.source,
        kind=entry.kind,
        title=entry.title,
        hash=entry.hash,
        texts=tuple(texts),
        answer=entry.answer,
        url=entry.url,
        locale=entry.locale,
    )


def _source(row: Row) -> SourceFile:
    return SourceFile(
        uri=str(row["uri"]),
        folder=str(row["folder"]),
        sha256=str(row["sha256"]),
        parser=str(row["parser"]),
    )


def _int(cell: Cell) -> int:
    return cast("int", cell)


def _kind(cell: Cell) -> Literal["faq", "doc"]:
    return "faq" if cell == "faq" else "doc"


def _role(cell: Cell) -> Literal["question", "alias", "chunk"]:
    return cast("Literal['question', 'alias', 'chunk']", cell)


def _index(role: str) -> str:
    """Which of the two indexes holds texts of this role."""
    return "doc" if role == "chunk" else "faq"


def _optional(cell: Cell) -> str | None:
    return None if cell is None else str(cell)
