"""Import: files become entries of a new generation, switched to at once or not at all."""

from __future__ import annotations

import asyncio
import hashlib
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path
from typing import Literal

import msgspec

from bot.clock import Clock
from bot.errors import Cause, KnowledgeError
from bot.knowledge.causes import cause_of, error_of, refused, unread
from bot.knowledge.drafts import renewed
from bot.knowledge.loaders import KNOWN, PARSER
from bot.knowledge.port import (
    EntryDraft,
    Head,
    Passages,
    Revision,
    SourceFile,
    StoredEntry,
    Switch,
)
from bot.knowledge.sandbox import Read, parse
from bot.knowledge.spool import BATCH, Spool
from bot.knowledge.terms import TERMS_VERSION
from bot.knowledge.twins import KIN_MAX, Twin, twins
from bot.types import value

FILE_MAX = 20 * 1024 * 1024
"""Bytes of one file, unless configured otherwise."""
KEEP = 3
"""Generations that can be gone back to, the live one included."""
DESK = "desk"
"""The source of what people of the desk added or changed by hand; no file replaces it."""

TEST_SET = "eval.jsonl"
"""How the name of a test set ends; it is no source."""

Progress = Callable[[str, int, int], None]
"""Called with a file's name, how many are done, and how many there are."""


@value
class Brought:
    """What one file changed, in entries."""

    added: int = 0
    changed: int = 0
    removed: int = 0


@value
class ImportReport:
    """What an import did. Counts are entries; `failed` names file, place and cause.

    `notes` say what of a file that came in could not be read; `kept` are entries that a file would
    have changed and that people changed by hand before; `tests` are paths of test sets found
    beside the sources. `each`: of files named one by one, what those brought that changed anything.
    """

    generation: int
    files: int = 0
    unchanged: int = 0
    added: int = 0
    changed: int = 0
    removed: int = 0
    failed: tuple[Cause, ...] = ()
    skipped: tuple[str, ...] = ()
    notes: tuple[Cause, ...] = ()
    kept: tuple[str, ...] = ()
    tests: tuple[str, ...] = ()
    twins: tuple[Twin, ...] = ()
    each: Mapping[str, Brought] = field(default_factory=dict)

    @property
    def moved(self) -> bool:
        """Anything came, changed or went."""
        return bool(self.added or self.changed or self.removed)


def too_large(name: str, length: int, *, most: int) -> KnowledgeError:
    """The error for a file of so many bytes."""
    return refused("cause.too_large", name, size=megabytes(length), most=megabytes(most))


def megabytes(length: int) -> str:
    """A number of bytes as people are told of it."""
    return f"{length / 2**20:.1f}".removesuffix(".0")


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
            raise refused("cause.no_folder", str(root))
        named = await asyncio.to_thread(_files, root)
        tests = tuple(str(name) for _, name in named if name.name.endswith(TEST_SET))
        named = [(uri, name) for uri, name in named if not name.name.endswith(TEST_SET)]
        files = [(uri, name) for uri, name in named if name.suffix.lower() in KNOWN]
        skipped = tuple(uri for uri, name in named if name.suffix.lower() not in KNOWN)
        whole = str(await asyncio.to_thread(root.resolve))
        report = await self._import(files, folder=whole, by=by, progress=progress)
        return replace(report, skipped=skipped, tests=tests, each={})

    async def file(self, path: str | Path, *, uri: str, by: str) -> ImportReport:
        """Take in one file, in the place of what it gave before."""
        name = Path(path)
        report = await self.files([(uri or name.name, name)], by=by)
        if report.failed:
            raise error_of(report.failed[0])
        return report

    async def files(self, files: Sequence[tuple[str, Path]], *, by: str) -> ImportReport:
        """Take in files, each in the place of what its name gave before, as one generation.

        Of those that cannot be read the causes are told; they hold up no other.
        """
        return await self._import(files, folder="", by=by, progress=quiet)

    async def change(
        self, drafts: Sequence[EntryDraft], removed: Sequence[StoredEntry], *, by: str, note: str
    ) -> ImportReport:
        """Entries come and go by hand. A draft replaces the live entry of its uid.

        What is live word for word already makes no generation: done twice is as good as once.
        """
        async with self._writing:
            uids = [draft.uid for draft in drafts] + [entry.uid for entry in removed]
            live = {head.uid: head for head in await self._passages.heads(uids)}
            coming = [d for d in drafts if d.uid not in live or not _stands(d, live[d.uid])]
            gone = [live[entry.uid] for entry in removed if entry.uid in live]
            if not coming and not gone:
                return ImportReport(generation=await self._generation())
            generation = await self._passages.next_generation()
            await self._stage(generation, coming)
            gone += [live[draft.uid] for draft in coming if draft.uid in live]
            after = {draft.uid: draft.hash for draft in coming}
            return await self._switch(
                Switch(generation=generation, at=self._clock.now(), by=by, note=note),
                _Change(after=after, retired=tuple(gone)),
            )

    async def renew(self) -> int:
        """Make the terms of entries anew that another version of the tokeniser made; how many.

        Done file by file as well, by the next import of each; here for what no file gives.
        """
        async with self._writing:
            return await self._renew()

    async def rollback(self, target: int, *, by: str) -> int:
        """Make the base what it was in generation `target`, its index in one piece; the number of
        the new generation.
        """
        async with self._writing:
            if target not in {known.id for known in await self._passages.generations()}:
                raise refused("cause.not_kept", number=target)
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
            await self._renew()
            await self._passages.merge()
            return await self._generation()

    async def _import(
        self, files: Sequence[tuple[str, Path]], *, folder: str, by: str, progress: Progress
    ) -> ImportReport:
        async with self._writing:
            known = {source.uri: source for source in await self._passages.sources()}
            failed: list[Cause] = []
            with Spool() as spool:
                parsed: list[tuple[SourceFile, Read]] = []
                for place, (uri, path) in enumerate(files):
                    progress(uri, place, len(files))
                    try:
                        source, content = await asyncio.to_thread(self._read, uri, path, folder)
                        if source != known.get(uri):
                            parsed.append((source, await parse(uri, content, spool)))
                    except KnowledgeError as error:
                        failed.append(cause_of(error))
                uris = {uri for uri, _ in files}
                ours = {u for u, s in known.items() if folder and s.folder == folder}
                report = await self._take(spool, parsed, sorted(ours - uris), by=by)
            return replace(
                report,
                files=len(files),
                unchanged=len(files) - len(parsed) - len(failed),
                failed=tuple(failed),
                notes=tuple(note for _, read in parsed for note in read.notes),
            )

    def _read(self, uri: str, path: Path, folder: str) -> tuple[SourceFile, bytes]:
        try:
            length = path.stat().st_size
            if length > self._file_max:
                raise too_large(uri, length, most=self._file_max)
            content = path.read_bytes()
        except OSError as error:
            raise unread(uri, error) from error
        digest = hashlib.sha256(content).hexdigest()
        return SourceFile(uri=uri, folder=folder, sha256=digest, parser=PARSER), content

    async def _take(
        self,
        spool: Spool,
        parsed: Sequence[tuple[SourceFile, Read]],
        gone: Sequence[str],
        *,
        by: str,
    ) -> ImportReport:
        """Compare the files with what is live and switch to the difference."""
        if not parsed and not gone:
            return ImportReport(generation=await self._generation())
        uris = {source.uri for source, _ in parsed} | set(gone)
        difference = Difference(await self._passages.heads(), uris)
        generation = await self._passages.next_generation()
        for _, read in parsed:
            batches = spool.batches(read.begin, read.end)
            while batch := await asyncio.to_thread(next, batches, None):
                await self._stage(generation, difference.coming(batch))
        note = ", ".join(sorted(uris)[:5]) + (" …" if len(uris) > 5 else "")
        switch = Switch(
            generation=generation,
            at=self._clock.now(),
            by=by,
            note=note,
            sources=tuple(source for source, _ in parsed),
            forgotten=tuple(gone),
        )
        changed = _Change(after=difference.after, retired=tuple(difference.retired()))
        report = await self._switch(switch, changed)
        return replace(report, kept=tuple(difference.kept), each=difference.each())

    async def _stage(self, generation: int, drafts: Sequence[EntryDraft]) -> None:
        if drafts:
            await self._passages.stage(generation, drafts)

    async def _switch(self, switch: Switch, change: _Change) -> ImportReport:
        """Make live what is staged, and say what that changed."""
        revisions = await asyncio.to_thread(change.revisions)  # 0.3 s where 100,000 entries come
        retired = tuple(head.id for head in change.retired)
        await self._passages.switch(replace(switch, retired=retired, revisions=revisions))
        await self._passages.purge(KEEP)
        kin = await self._passages.kin(switch.generation, KIN_MAX)
        return ImportReport(
            generation=switch.generation,
            added=sum(revision.action == "added" for revision in revisions),
            changed=sum(revision.action == "changed" for revision in revisions),
            removed=sum(revision.action == "removed" for revision in revisions),
            twins=twins(kin),
        )

    async def _renew(self) -> int:
        generation, after = 0, 0
        retired: list[int] = []
        while old := await self._passages.outdated(TERMS_VERSION, after, BATCH):
            generation = generation or await self._passages.next_generation()
            made = [renewed(entry, await self._passages.texts(entry.id)) for entry in old]
            await self._stage(generation, [draft for draft in made if draft is not None])
            retired += [entry.id for entry in old]
            after = old[-1].id
        if retired:
            note = f"terms {TERMS_VERSION}"
            switch = Switch(generation=generation, at=self._clock.now(), by="", note=note)
            await self._passages.switch(replace(switch, retired=tuple(retired)))
            await self._passages.purge(KEEP)
        return len(retired)

    async def _generation(self) -> int:
        return next((known.id for known in await self._passages.generations() if known.live), 0)


@value
class _Change:
    """What comes, by uid with its hash, and what goes."""

    after: dict[str, str]
    retired: tuple[Head, ...]

    def revisions(self) -> tuple[Revision, ...]:
        before = {head.uid: head.hash for head in self.retired}
        return tuple(
            Revision(
                uid=uid,
                action=_action(was=uid in before, stands=uid in self.after),
                before=before.get(uid, ""),
                after=self.after.get(uid, ""),
            )
            for uid in {**self.after, **before}
        )


def _action(*, was: bool, stands: bool) -> Literal["added", "changed", "removed"]:
    if not was:
        return "added"
    return "changed" if stands else "removed"


class Difference:
    """What of the files' drafts is new; fed some at a time, so that no import is held whole.

    Only what differs moves; what people changed by hand stays theirs.
    """

    def __init__(self, live: Iterable[Head], uris: Collection[str]) -> None:
        self._theirs: dict[str, Head] = {}
        self._others: dict[str, str] = {}
        for head in live:
            if head.source in uris:
                self._theirs[head.uid] = head
            else:
                self._others[head.uid] = head.source
        self._seen: set[str] = set()
        self._same: set[str] = set()
        self._brought: Counter[tuple[str, str]] = Counter()
        self.after: dict[str, str] = {}
        self.kept: list[str] = []

    def coming(self, drafts: Iterable[EntryDraft]) -> list[EntryDraft]:
        """Those to be staged, under a name that no other entry has."""
        return [fresh for draft in drafts if (fresh := self._fresh(draft)) is not None]

    def retired(self) -> list[Head]:
        """What is live of these files and stands in none of them as it is."""
        return [head for uid, head in self._theirs.items() if uid not in self._same]

    def each(self) -> dict[str, Brought]:
        """What each file changed; one that changed nothing is not in it."""
        gone = (head.source for head in self.retired() if head.uid not in self.after)
        removed = Counter((source, "removed") for source in gone)
        counts: dict[str, dict[str, int]] = {}
        for (source, did), count in (self._brought + removed).items():
            counts.setdefault(source, {})[did] = count
        return {source: Brought(**count) for source, count in counts.items()}

    def _fresh(self, draft: EntryDraft) -> EntryDraft | None:
        if self._others.get(draft.uid) == DESK:
            self.kept.append(draft.uid)
            return None
        uid = draft.uid
        if uid in self._others or uid in self._seen:
            uid = f"{draft.source}#{uid}"
        self._seen.add(uid)
        live = self._theirs.get(uid)
        if live is not None and live.hash == draft.hash:
            self._same.add(uid)
            return None
        self.after[uid] = draft.hash
        self._brought[draft.source, "changed" if live is not None else "added"] += 1
        return draft if uid == draft.uid else msgspec.structs.replace(draft, uid=uid)


def _stands(draft: EntryDraft, live: Head) -> bool:
    return (draft.hash, draft.source) == (live.hash, live.source)


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
