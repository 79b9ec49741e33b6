"""What search by meaning asks of its store, and the values that pass between the two. No numpy."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Literal, Protocol

from bot.knowledge.port import Candidate
from bot.types import value

Index = Literal["faq", "doc"]
INDEXES: tuple[Index, Index] = ("faq", "doc")
"""Questions and aliases, and chunks with answers: nearness means another thing in each."""

MEANT_MAX = 2000
"""Characters of a text that are embedded: an embedder blurs what is long, and refuses the longest
(embedding-3: 3072 tokens)."""


@value
class Wanting:
    """A live text that has no vector yet."""

    id: int
    text: str

    @property
    def key(self) -> str:
        """Equal for equal texts; 32 hex digits."""
        return hashlib.blake2b(self.text.encode(), digest_size=16).hexdigest()


@value
class Packed:
    """A vector as it is kept: one signed byte a number, times `scale`."""

    scale: float
    content: bytes


@value
class Row:
    """A live text as the matrix needs it."""

    id: int
    entry: int
    index: Index
    packed: Packed


@value
class Standing:
    """How far the base is embedded: `done` of `texts` live texts, in this generation."""

    generation: int
    texts: int
    done: int

    @property
    def whole(self) -> bool:
        """Every live text has its vector."""
        return self.done >= self.texts


@value
class Health:
    """How the embedder does: searches it helped, and those it was passed over in, by why."""

    name: str
    standing: Standing
    helped: int
    skipped: Mapping[str, int]
    last_error: str


@value
class Nearness:
    """What a question is near to, by cosine.

    `cosines` are those of the texts asked about and of the nearest ones, which `ids` names, best
    first; `mean` and `spread` are over all rows.
    """

    cosines: Mapping[int, float]
    ids: tuple[int, ...]
    mean: float
    spread: float


class Vectors(Protocol):
    """The store of vectors. `embedder` names one whose vectors compare with each other only."""

    async def generation(self) -> int:
        """The live generation; cheap to ask."""
        ...

    async def standing(self, embedder: str) -> Standing:
        """How far the live texts are embedded."""
        ...

    async def missing(self, embedder: str, *, after: int, limit: int) -> list[Wanting]:
        """Live texts without a vector, by number, those beyond `after`."""
        ...

    async def known(self, embedder: str, keys: Sequence[str]) -> dict[str, Packed]:
        """Vectors that are kept for such texts already."""
        ...

    async def keep(self, embedder: str, vectors: Sequence[tuple[Wanting, Packed]]) -> None:
        """Keep vectors, durably; one whose text is gone is left out, one known stays."""
        ...

    async def rows(self, embedder: str, *, after: int, limit: int) -> list[Row]:
        """The vectors of live texts, by number, those beyond `after`."""
        ...

    async def candidates(self, ids: Sequence[int], *, generation: int) -> list[Candidate]:
        """These texts, of those that are live in this generation; in any order."""
        ...

    async def forget_others(self, embedder: str, *, limit: int) -> int:
        """Delete some vectors of other embedders; how many."""
        ...

    async def moved(self, since: int) -> float:
        """The share of the live entries that came or changed after a generation."""
        ...

    async def fit(self, embedder: str) -> tuple[int, str]:
        """How its findings are weighed (JSON) and since which generation; (0, "") if never."""
        ...

    async def keep_fit(self, embedder: str, generation: int, fit: str) -> None:
        """Weigh its findings so from now on."""
        ...
