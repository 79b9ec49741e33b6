"""Single entries as people of the desk handle them: show, add, edit, remove, export, go back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import msgspec

from bot.errors import UserError
from bot.knowledge import drafts
from bot.knowledge.causes import refused
from bot.knowledge.imports import DESK, Importer, ImportReport
from bot.knowledge.port import Generation, Passages, Revision, StoredEntry, TextDraft
from bot.knowledge.terms import fold, worded
from bot.types import value

FIELD_MAX = 20_000
"""Characters of a question or an answer written by hand."""


@value
class EntryView:
    """An entry with all its texts. `aliases` of an FAQ, `chunks` of a document section."""

    uid: str
    source: str
    kind: str
    title: str
    locale: str
    url: str
    answer: str | None
    aliases: tuple[str, ...]
    chunks: tuple[str, ...]


class Entries:
    """The live entries. Every change is a generation of its own, with who made it."""

    def __init__(self, passages: Passages, importer: Importer) -> None:
        self._passages = passages
        self._importer = importer

    async def all(self, containing: str = "") -> list[StoredEntry]:
        """The live entries by source and uid; of those only whose uid, source or title has it."""
        wanted = fold(containing)
        found = await self._passages.entries()
        return [e for e in found if wanted in fold(f"{e.uid} {e.source} {e.title}")]

    async def show(self, uid: str) -> EntryView:
        """One entry whole. Raises UserError for an unknown uid."""
        return await self._view(await self._stored(uid))

    async def add(
        self, question: str, answer: str, *, by: str, aliases: Sequence[str] = ()
    ) -> ImportReport:
        """A new FAQ, or the one of the same wording with a new answer; its twins are reported.

        Raises UserError when question or answer says nothing or is over FIELD_MAX characters.
        """
        _written(question, answer, *aliases)
        draft = drafts.faq(source=DESK, question=question, answer=answer, aliases=aliases)
        return await self._importer.change([draft], (), by=by, note=f"added {draft.uid}")

    async def edit(
        self,
        uid: str,
        *,
        by: str,
        question: str | None = None,
        answer: str | None = None,
        aliases: Sequence[str] | None = None,
    ) -> ImportReport:
        """Change what is given of an FAQ, keep the rest. From then on no file changes it.

        Raises UserError for an unknown uid, a document section, or an empty text.
        """
        old = await self.show(uid)
        if old.answer is None:
            raise UserError("kb.not_an_faq", uid=uid, source=old.source)
        draft = drafts.faq(
            source=DESK,
            question=old.title if question is None else question,
            answer=old.answer if answer is None else answer,
            aliases=old.aliases if aliases is None else aliases,
            uid=uid,
            url=old.url,
            locale=old.locale,
        )
        _written(draft.title, draft.answer or "", *(aliases or ()))
        return await self._importer.change([draft], (), by=by, note=f"edited {uid}")

    async def remove(self, uid: str, *, by: str) -> ImportReport:
        """Take an entry out. One that a file gave comes back when that file changes."""
        entry = await self._stored(uid)
        return await self._importer.change((), [entry], by=by, note=f"removed {uid}")

    async def export(self) -> str:
        """The live FAQs as JSONL that can be imported again, ids and aliases kept."""
        rows = [await self._view(e) for e in await self._passages.entries() if e.answer is not None]
        return "".join(f"{msgspec.json.encode(_row(view)).decode()}\n" for view in rows)

    async def history(self, uid: str = "", *, limit: int = 50) -> list[Revision]:
        """Who changed what, newest first; of all entries when `uid` is empty."""
        return await self._passages.revisions(uid, limit)

    async def generations(self) -> list[Generation]:
        """The states that can be gone back to, newest first."""
        return await self._passages.generations()

    async def rollback(self, target: int | None = None, *, by: str) -> int:
        """Make the base what it was in a kept generation, by default the one before the live one.

        The new generation's number. Raises KnowledgeError when there is nothing to go back to.
        """
        if target is None:
            older = [known.id for known in await self.generations() if not known.live]
            if not older:
                raise refused("cause.no_earlier")
            target = older[0]
        return await self._importer.rollback(target, by=by)

    async def _stored(self, uid: str) -> StoredEntry:
        entry = await self._passages.entry(uid)
        if entry is None:
            raise UserError("kb.no_entry", uid=uid)
        return entry

    async def _view(self, entry: StoredEntry) -> EntryView:
        texts = await self._passages.texts(entry.id)
        return EntryView(
            uid=entry.uid,
            source=entry.source,
            kind=entry.kind,
            title=entry.title,
            locale=entry.locale,
            url=entry.url,
            answer=entry.answer,
            aliases=tuple(_of("alias", texts)),
            chunks=tuple(_of("chunk", texts)) if entry.answer is None else (),
        )


def _of(role: str, texts: Sequence[TextDraft]) -> Iterator[str]:
    return (text.text for text in texts if text.role == role)


def _row(view: EntryView) -> dict[str, str | tuple[str, ...] | None]:
    return {
        "id": view.uid,
        "question": view.title,
        "alias": view.aliases,
        "answer": view.answer,
        "url": view.url,
        "locale": view.locale,
    }


def _written(*texts: str) -> None:
    for text in texts:
        if not worded(text):
            raise UserError("kb.empty")
        if len(text) > FIELD_MAX:
            raise UserError("kb.too_long", most=FIELD_MAX)
