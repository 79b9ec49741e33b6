"""What knowledge asks of its store, and the values that pass between the two.

Nobody but the knowledge base speaks to the store; the engine sees `ports.Knowledge`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple, Protocol, TypeVar

import msgspec

from bot.types import Gap, Passage, value

T = TypeVar("T")


class TextDraft(msgspec.Struct, frozen=True, kw_only=True):
    """One indexed text of an entry to be.

    `norm` is terms.fingerprint, `terms` the distinct ones, space-separated, `mass` what terms.mass
    says of them, `kin` what terms.kin says; 0 for a chunk.
    """

    role: Literal["question", "alias", "chunk"]
    text: str
    norm: str
    terms: str
    mass: float
    kin: int = 0


class EntryDraft(msgspec.Struct, frozen=True, kw_only=True):
    """An entry to be stored. `uid` names it for people; `hash` changes with any of its content.

    `make` is the version of the tokeniser that made its terms.
    """

    uid: str
    source: str
    kind: Literal["faq", "doc"]
    title: str
    hash: str
    texts: tuple[TextDraft, ...]
    answer: str | None = None
    url: str = ""
    locale: str = ""
    make: int = 0


@value
class StoredEntry:
    """What is live, without its texts."""

    id: int
    uid: str
    source: str
    kind: Literal["faq", "doc"]
    title: str
    hash: str
    answer: str | None = None
    url: str = ""
    locale: str = ""
    make: int = 0


class Head(NamedTuple):
    """Of a live entry what a draft is compared with; small, since a base has many."""

    id: int
    uid: str
    source: str
    hash: str


class Kin(NamedTuple):
    """Two live questions of equal telling words, the second one new; with their answers."""

    first: str
    second: str
    first_text: str
    second_text: str
    first_answer: str
    second_answer: str


@value
class SourceFile:
    """A file that was imported. `parser` names loader and tokeniser with their versions.

    `folder` is what it was imported with, empty for a file of its own.
    """

    uri: str
    folder: str
    sha256: str
    parser: str


class Revision(msgspec.Struct, frozen=True, kw_only=True):
    """One entry changed: who, when (ms), what; hashes are empty where nothing was or is."""

    uid: str
    action: Literal["added", "changed", "removed"]
    before: str = ""
    after: str = ""
    by: str = ""
    at: int = 0
    generation: int = 0


@value
class Switch:
    """What becomes live at once or not at all: staged entries come, `retired` entry ids go.

    `sources` are noted as imported, `forgotten` ones are gone. `revisions` say what changed.
    """

    generation: int
    at: int
    by: str
    note: str
    retired: tuple[int, ...] = ()
    sources: tuple[SourceFile, ...] = ()
    forgotten: tuple[str, ...] = ()
    revisions: tuple[Revision, ...] = ()
    calibration: str | None = None


@value
class Generation:
    """One state of the whole base that was live once. Times in ms."""

    id: int
    at: int
    by: str
    note: str
    live: bool


class Candidate(msgspec.Struct, frozen=True):
    """An indexed text that shares terms with a question, with the entry it belongs to.

    A search makes a hundred; the statements that read them select its fields in this order.
    """

    id: int
    entry: int
    kind: Literal["faq", "doc"]
    role: Literal["question", "alias", "chunk"]
    ord: int
    text: str
    terms: str
    mass: float
    norm: str
    locale: str


Choose = Callable[[Mapping[str, int], int], Sequence[Sequence[str]]]
"""From document frequencies and the row count to groups of terms: a row is a candidate that has all
terms of a group. Where none has, each term is a group of its own.
"""


@value
class Hits:
    """All that one search read, from one snapshot.

    `rows` counts live texts per index: "faq" holds questions and aliases, "doc" chunks and answers.
    `sent` are the terms that an index was asked for.
    """

    generation: int
    rows: dict[str, int]
    frequencies: dict[str, int]
    exact: tuple[Candidate, ...]
    found: tuple[Candidate, ...]
    calibration: str
    sent: frozenset[str] = frozenset()


Pick = Callable[[Hits], tuple[T, Sequence[Candidate]]]
"""From what was found to what is made of it, and the candidates to be shown. Pure: it runs where
the store reads, perhaps twice.
"""


class Passages(Protocol):
    """The store of the knowledge base. One writer at a time stages and switches."""

    async def find(
        self, terms: Sequence[str], norm: str, choose: Choose, *, limit: Mapping[str, int]
    ) -> Hits:
        """Candidates for a question: exact ones by `norm`, `limit[index]` of each index."""
        ...

    async def fetch(self, candidates: Sequence[Candidate], *, around: int = 0) -> list[Passage]:
        """The passages these texts belong to, same order; chunks with `around` neighbours."""
        ...

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
        """`find`, and `fetch` what `pick` picks of it: one snapshot, and one way to the store."""
        ...

    async def next_generation(self) -> int:
        """Clear what a dead import left staged; the number to stage under."""
        ...

    async def stage(self, generation: int, drafts: Sequence[EntryDraft]) -> None:
        """Write entries that nobody sees until their generation is switched to."""
        ...

    async def switch(self, change: Switch) -> None:
        """Make a generation live, at once or not at all.

        However much it changes, no transaction holds the writer for long.
        """
        ...

    async def purge(self, keep: int) -> None:
        """Drop what belongs to none of the newest `keep` generations."""
        ...

    async def merge(self) -> None:
        """Put the index together that many small writes left in pieces: a search reads less then.

        In short transactions; what is found stays the same.
        """
        ...

    async def restage(self, target: int, generation: int) -> tuple[int, ...]:
        """Stage what was live in `target` and is no more; the ids of what came since then."""
        ...

    async def sources_in(self, generation: int) -> list[SourceFile]:
        """The files as they were in one generation."""
        ...

    async def calibrate(self, calibration: str) -> None:
        """Keep these weights and thresholds (JSON) for every later search."""
        ...

    async def entries(self) -> list[StoredEntry]:
        """All live entries, by source and uid."""
        ...

    async def entry(self, uid: str) -> StoredEntry | None:
        """The live entry of this name."""
        ...

    async def heads(self, uids: Sequence[str] | None = None) -> list[Head]:
        """All live entries, or those of these names, as they are compared with drafts."""
        ...

    async def outdated(self, make: int, after: int, limit: int) -> list[StoredEntry]:
        """Live entries of another make whose id is above `after`, by id."""
        ...

    async def kin(self, generation: int, limit: int) -> list[Kin]:
        """Pairs of live FAQs alike in telling words, of which one came in this generation."""
        ...

    async def questions(self) -> list[Candidate]:
        """All live questions and aliases."""
        ...

    async def texts(self, entry: int) -> list[TextDraft]:
        """An entry's texts in order."""
        ...

    async def sources(self) -> list[SourceFile]:
        """All files that are live."""
        ...

    async def gaps(self, since: int) -> list[Gap]:
        """Questions that went unanswered since then (ms), oldest first."""
        ...

    async def generations(self) -> list[Generation]:
        """Those that can be gone back to, newest first."""
        ...

    async def revisions(self, uid: str, limit: int) -> list[Revision]:
        """What changed, newest first; of all entries when `uid` is empty."""
        ...
