"""The rows of the knowledge tables as values, and values as the cells of a row."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, cast

from bot.knowledge.port import (
    Candidate,
    EntryDraft,
    Generation,
    Head,
    Kin,
    Revision,
    SourceFile,
    StoredEntry,
    Switch,
    TextDraft,
)
from bot.types import Gap, Passage
from storage.database import Cell, Row

FOREVER = 2**62
"""`until` of what is live."""


def entry_cells(draft: EntryDraft, number: int, generation: int) -> dict[str, Cell]:
    """A staged entry."""
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
        "make": draft.make,
        "since": generation,
        "until": FOREVER,
    }


def text_cells(item: TextDraft, number: int, entry: int, place: int) -> dict[str, Cell]:
    """One indexed text."""
    return {
        "id": number,
        "entry": entry,
        "role": item.role,
        "ord": place,
        "text": item.text,
        "norm": item.norm,
        "terms": item.terms,
        "mass": item.mass,
        "kin": item.kin,
    }


def revision_cells(change: Switch, revision: Revision) -> dict[str, Cell]:
    """Who changed what."""
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
    """An indexed text with its entry, from a row that has its fields in their order.

    A search makes a hundred: cells are taken by place, as the statement and the schema promise.
    """
    return Candidate(*row)


def passage_of(candidate: Candidate, row: Row, text: str) -> Passage:
    """What is shown of a found text."""
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


def stored_of(row: Row) -> StoredEntry:
    """An entry without its texts."""
    return StoredEntry(
        id=integer(row["id"]),
        uid=str(row["uid"]),
        source=str(row["source"]),
        kind=_kind(row["kind"]),
        title=str(row["title"]),
        hash=str(row["hash"]),
        answer=_optional(row["answer"]),
        url=str(row["url"]),
        locale=str(row["locale"]),
        make=integer(row["make"]),
    )


def head_of(row: Row) -> Head:
    """An entry in brief."""
    return Head(integer(row["id"]), str(row["uid"]), str(row["source"]), str(row["hash"]))


def kin_of(row: Row) -> Kin:
    """Two questions that may ask the same."""
    return Kin(*(str(row[name] or "") for name in Kin._fields))


def text_of(row: Row) -> TextDraft:
    """A text as it was staged."""
    return TextDraft(
        role=_role(row["role"]),
        text=str(row["text"]),
        norm=str(row["norm"]),
        terms=str(row["terms"]),
        mass=cast("float", row["mass"]),
        kin=integer(row["kin"]),
    )


def draft_of(entry: StoredEntry, texts: Sequence[TextDraft]) -> EntryDraft:
    """A stored entry as it would be staged again."""
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
        make=entry.make,
    )


def gap_of(row: Row) -> Gap:
    """A question that went unanswered."""
    return Gap(
        question=str(row["question"]),
        locale=str(row["locale"]),
        confidence=cast("float | None", row["confidence"]),
    )


def generation_of(row: Row) -> Generation:
    """A state of the base."""
    return Generation(
        id=integer(row["id"]),
        at=integer(row["at"]),
        by=str(row["by"]),
        note=str(row["note"]),
        live=bool(row["live"]),
    )


def revision_of(row: Row) -> Revision:
    """One change."""
    return Revision(
        uid=str(row["uid"]),
        action=cast("Literal['added', 'changed', 'removed']", row["action"]),
        before=str(row["before"]),
        after=str(row["after"]),
        by=str(row["by"]),
        at=integer(row["at"]),
        generation=integer(row["generation"]),
    )


def source_of(row: Row) -> SourceFile:
    """An imported file."""
    return SourceFile(
        uri=str(row["uri"]),
        folder=str(row["folder"]),
        sha256=str(row["sha256"]),
        parser=str(row["parser"]),
    )


def integer(cell: Cell) -> int:
    """A cell of an INTEGER column."""
    return cast("int", cell)


def _kind(cell: Cell) -> Literal["faq", "doc"]:
    return "faq" if cell == "faq" else "doc"


def _role(cell: Cell) -> Literal["question", "alias", "chunk"]:
    return cast("Literal['question', 'alias', 'chunk']", cell)


def _optional(cell: Cell) -> str | None:
    return None if cell is None else str(cell)
