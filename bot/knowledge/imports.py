"""Import: files become entries of a new generation, switched to at once or not at all."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from bot.clock import Clock
from bot.errors import KnowledgeError
from bot.knowledge import sandbox
from bot.knowledge.loaders import KNOWN, PARSER, Parsed
from bot.knowledge.port import EntryDraft, Passages, Revision, SourceFile, StoredEntry, Switch
from bot.knowledge.twins import Twin, askings, twins
from bot.types import value

FILE_MAX = 20 * 1024 * 1024
"""Bytes of one file, unless configured otherwise."""
STAGE_BATCH = 500
"""Entries staged in one transaction, so that no conversation waits for an import."""
KEEP = 3
"""Generations that can be gone back to, the live one included."""
DESK = "desk"
"""The source of what people of the desk added or changed by hand; no file replaces it."""

TEST_SET = "eval.jsonl"
"""How the name of a test set ends; it is no source."""

Progress = Callable[[str, int, int], None]
"""Called with a file's name, how many are done, and how many there are."""


@value
class ImportReport:
    """What an import did. Counts are entries; `failed` names file, place and cause.

    `notes` say what of a file that came in could not be read; `kept` are entries that a file would
    have changed and that people changed by hand before; `tests` are paths of test sets found
    beside the sources.
    """

    generation: int
    files: int = 0
    unchanged: int = 0
    added: int = 0
    changed: int = 0
    removed: int = 0
    failed: tuple[str, ...] = ()
    skipped: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()
    twins: tuple[Twin, ...] = ()

    @property
    def moved(self) -> bool:
        """Anything came, changed or went."""
        return bool(self.added or self.changed or self.removed)


def quiet(name: str, done: int, of: int) -> None:
    """A Progress that shows nothing."""


class Importer:
    """The writing half of the knowledge base. One change at a time."""

    def __init__(self, passages: Passages, clock: Clock, *, file_max: int = FILE_MAX) -> None:
        self._passages = passages
        self._clock = clock
        self._file_max = file_max
        self._writing = asyncio.Lock()

    async def folder(self, path: str | Path, *, by: str, progress: Progress) -> ImportReport:
        """Take in every known file below a folder; those that went are forgotten."""
        root = Path(path)
        if not await asyncio.to_thread(root.is_dir):
            raise KnowledgeError(f"{root}: there is no such folder")
        named = await asyncio.to_thread(_files, root)
        tests = tuple(str(name) for _, name in named if name.name.endswith(TEST_SET))
        named = [(uri, name) for uri, name in named if not name.name.endswith(TEST_SET)]
        files = [(uri, name) for uri, name in named if name.suffix.lower() in KNOWN]
        skipped = tuple(uri for uri, name in named if name.suffix.lower() not in KNOWN)
        whole = str(await asyncio.to_thread(root.resolve))
        report = await self._import(files, folder=whole, by=by, progress=progress)
        return replace(report, skipped=skipped, tests=tests)

    async def file(self, path: str | Path, *, uri: str, by: str) -> ImportReport:
        """Take in one file, in the place of what it gave before."""
        name = Path(path)
        report = await self._import([(uri or name.name, name)], folder="", by=by, progress=quiet)
        if report.failed:
            raise KnowledgeError(report.failed[0])
        return report

    async def change(
        self, drafts: Sequence[EntryDraft], removed: Sequence[StoredEntry], *, by: str, note: str
    ) -> ImportReport:
        """Entries come and go by hand. A draft replaces the live entry of its uid.

        What is live word for word already makes no generation: done twice is as good as once.
        """
        async with self._writing:
            live = {entry.uid: entry for entry in await self._passages.entries()}
            drafts = [d for d in drafts if d.uid not in live or not _stands(d, live[d.uid])]
            removed = [entry for entry in removed if entry.uid in live]
            if not drafts and not removed:
                return ImportReport(generation=await self._generation())
            replaced = [live[draft.uid] for draft in drafts if draft.uid in live]
            plan = _Plan(drafts=tuple(drafts), retired=(*replaced, *removed))
            return await self._apply(plan, list(live.values()), by=by, note=note)

    async def rollback(self, target: int, *, by: str) -> int:
        """Make the base what it was in generation `target`; the number of the new generation."""
        async with self._writing:
            if target not in {known.id for known in await self._passages.generations()}:
                raise KnowledgeError(f"generation {target} is not kept")
            generation = await self._passages.next_generation()
            retired = await self._passages.restage(target, generation)
            then = {source.uri: source for source in await self._passages.sources_in(target)}
            now = {source.uri: source for source in await self._passages.sources()}
            await self._passages.switch(
                Switch(
                    generation=generation,
                    at=self._clock.now(),
                    by=by,
                    note=f"back to {target}",
                    retired=retired,
                    sources=tuple(s for uri, s in then.items() if now.get(uri) != s),
                    forgotten=tuple(uri for uri in now if uri not in then),
                    revisions=(Revision(uid="", action="changed", before="", after=f"={target}"),),
                )
            )
            await self._passages.purge(KEEP)
            return generation

    async def _import(
        self, files: Sequence[tuple[str, Path]], *, folder: str, by: str, progress: Progress
    ) -> ImportReport:
        async with self._writing:
            known = {source.uri: source for source in await self._passages.sources()}
            parsed: list[tuple[SourceFile, Parsed]] = []
            failed: list[str] = []
            for place, (uri, path) in enumerate(files):
                progress(uri, place, len(files))
                try:
                    source, content = await asyncio.to_thread(self._read, uri, path, folder)
                    if source != known.get(uri):
                        parsed.append((source, await sandbox.parse(uri, content)))
                except KnowledgeError as error:
                    failed.append(str(error))
            uris = {uri for uri, _ in files}
            gone = [u for u, s in known.items() if folder and s.folder == folder and u not in uris]
            report = await self._take(parsed, gone, by=by)
            unchanged = len(files) - len(parsed) - len(failed)
            return replace(
                report,
                files=len(files),
                unchanged=unchanged,
                failed=tuple(failed),
                notes=tuple(note for _, found in parsed for note in found.notes),
            )

    def _read(self, uri: str, path: Path, folder: str) -> tuple[SourceFile, bytes]:
        try:
            length = path.stat().st_size
            if length > self._file_max:
                raise KnowledgeError(
                    f"{uri}: {length / 2**20:.1f} MB; files over "
                    f"{self._file_max / 2**20:.1f} MB are not read"
                )
            content = path.read_bytes()
        except OSError as error:
            raise KnowledgeError(f"{uri}: {error.strerror or error}") from error
        digest = hashlib.sha256(content).hexdigest()
        return SourceFile(uri=uri, folder=folder, sha256=digest, parser=PARSER), content

    async def _take(
        self,
        parsed: Sequence[tuple[SourceFile, Parsed]],
        gone: Sequence[str],
        *,
        by: str,
    ) -> ImportReport:
        """Compare the files with what is live and switch to the difference."""
        live = await self._passages.entries()
        if not parsed and not gone:
            return ImportReport(generation=await self._generation())
        sources = tuple(source for source, _ in parsed)
        drafts = [draft for _, found in parsed for draft in found.drafts]
        uris = {source.uri for source in sources} | set(gone)
        plan = replace(_difference(drafts, live, uris), sources=sources, forgotten=tuple(gone))
        note = ", ".join(sorted(uris)[:5]) + (" …" if len(uris) > 5 else "")
        return await self._apply(plan, live, by=by, note=note)

    async def _apply(
        self, plan: _Plan, live: Sequence[StoredEntry], *, by: str, note: str
    ) -> ImportReport:
        generation = await self._passages.next_generation()
        for start in range(0, len(plan.drafts), STAGE_BATCH):
            await self._passages.stage(generation, plan.drafts[start : start + STAGE_BATCH])
        revisions = _revisions(plan)
        await self._passages.switch(
            Switch(
                generation=generation,
                at=self._clock.now(),
                by=by,
                note=note,
                retired=tuple(entry.id for entry in plan.retired),
                sources=plan.sources,
                forgotten=plan.forgotten,
                revisions=revisions,
            )
        )
        await self._passages.purge(KEEP)
        retired = {entry.id for entry in plan.retired}
        stayed = [entry for entry in live if entry.id not in retired]
        return ImportReport(
            generation=generation,
            added=sum(revision.action == "added" for revision in revisions),
            changed=sum(revision.action == "changed" for revision in revisions),
            removed=sum(revision.action == "removed" for revision in revisions),
            kept=plan.kept,
            twins=await asyncio.to_thread(twins, askings(plan.drafts), askings(stayed)),
        )

    async def _generation(self) -> int:
        return next((known.id for known in await self._passages.generations() if known.live), 0)


@value
class _Plan:
    """What comes and what goes."""

    drafts: tuple[EntryDraft, ...]
    retired: tuple[StoredEntry, ...]
    sources: tuple[SourceFile, ...] = ()
    forgotten: tuple[str, ...] = ()
    kept: tuple[str, ...] = ()


def _stands(draft: EntryDraft, live: StoredEntry) -> bool:
    return (draft.hash, draft.source) == (live.hash, live.source)


def _difference(drafts: Sequence[EntryDraft], live: Sequence[StoredEntry], uris: set[str]) -> _Plan:
    """Only what differs moves; what people changed by hand stays theirs."""
    theirs = {entry.uid: entry for entry in live if entry.source in uris}
    others = {entry.uid: entry for entry in live if entry.source not in uris}
    kept = tuple(d.uid for d in drafts if d.uid in others and others[d.uid].source == DESK)
    coming: dict[str, EntryDraft] = {}
    for draft in drafts:
        if draft.uid in kept:
            continue
        taken = draft.uid in others or draft.uid in coming
        named = replace(draft, uid=f"{draft.source}#{draft.uid}") if taken else draft
        coming[named.uid] = named
    same = {
        uid for uid, draft in coming.items() if uid in theirs and theirs[uid].hash == draft.hash
    }
    return _Plan(
        drafts=tuple(draft for uid, draft in coming.items() if uid not in same),
        retired=tuple(entry for uid, entry in theirs.items() if uid not in same),
        kept=kept,
    )


def _revisions(plan: _Plan) -> tuple[Revision, ...]:
    before = {entry.uid: entry.hash for entry in plan.retired}
    after = {draft.uid: draft.hash for draft in plan.drafts}
    return tuple(
        Revision(
            uid=uid,
            action="added" if uid not in before else "changed" if uid in after else "removed",
            before=before.get(uid, ""),
            after=after.get(uid, ""),
        )
        for uid in {**after, **before}
    )


def _files(root: Path) -> list[tuple[str, Path]]:
    """Names relative to the folder; hidden files and folders are not ours to read.

    Nor is what a link points to outside the folder: it was not put here to be told to customers.
    """
    home = root.resolve()
    found = (
        path
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.resolve().is_relative_to(home)
    )
    named = [(path.relative_to(root).as_posix(), path) for path in found]
    return [(uri, path) for uri, path in named if not f"/{uri}".count("/.")]


def stamps(root: Path) -> dict[str, tuple[int, int]]:
    """Time and size of every file below a folder; two that are equal hold the same files."""
    found = {}
    for uri, path in _files(root):
        try:
            known = path.stat()
        except OSError:  # it went while we looked
            continue
        found[uri] = (known.st_mtime_ns, known.st_size)
    return found
