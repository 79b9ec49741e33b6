"""Exact search by meaning: all vectors of a base in one matrix, and how a vector is kept on disk.

Needs numpy, so it is imported only where an embedder is set. A question against every row is one
product: measured 18 ms of CPU at 100,000 rows of 512 numbers, so no approximate index is needed.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from bot.knowledge.fusion import Scale
from bot.knowledge.meaning import INDEXES, Index, Nearness, Packed, Row

Floats = npt.NDArray[np.float32]

_STEPS = 127
_SAMPLED, _AGAINST = 300, 4000
"""Rows of an index, evenly picked, that its scale is measured by, and those held against them."""
_LOW, _HIGH = 0.5, 0.9
"""Which quantiles of the cosines between entries, and of those to the nearest other entry, are 0
and 1: within .01 of the best of three rules on every development set."""
_REACHED = {"faq": 1.0, "doc": 0.6}
"""How much of that a question comes near to: a passage that answers it says much besides, so it is
never as near as another passage is (measured on three sets of documents in two languages)."""
_UNKNOWN = {"faq": Scale(low=0.2, high=0.9), "doc": Scale(low=0.1, high=0.5)}
"""For an index of fewer than two entries."""


def packed(vector: array[float]) -> Packed:
    """A unit vector as a scale and one signed byte a number: a quarter of the floats' room.

    Raises ValueError for a vector of zeros or of what is no number.
    """
    floats = np.frombuffer(vector, dtype=np.float32)
    most = float(np.abs(floats).max(initial=0.0))
    if not (0.0 < most < math.inf):
        raise ValueError("a vector without direction")
    scale = most / _STEPS
    return Packed(scale=scale, content=np.rint(floats / scale).astype(np.int8).tobytes())


class Matrix:
    """All vectors of a base. Never changed: a base that moved gets another one."""

    def __init__(self, rows: Sequence[Row]) -> None:
        """Raises ValueError for rows of different lengths."""
        ordered = sorted(rows, key=lambda row: row.id)
        self.dim = len(ordered[0].packed.content) if ordered else 0
        if any(len(row.packed.content) != self.dim for row in ordered):
            raise ValueError("vectors of different lengths")
        self._ids = np.array([row.id for row in ordered], dtype=np.int64)
        self._places = {
            index: np.array([at for at, row in enumerate(ordered) if row.index == index], np.int64)
            for index in INDEXES
        }
        packed_rows = np.frombuffer(b"".join(row.packed.content for row in ordered), dtype=np.int8)
        self._rows: Floats = packed_rows.reshape(len(ordered), self.dim or 1).astype(np.float32)
        scales = np.array([row.packed.scale for row in ordered], dtype=np.float32)
        lengths = np.linalg.norm(self._rows, axis=1) * scales if ordered else scales
        self._rows *= (scales / np.maximum(lengths, 1e-12))[:, None]
        self._entries = np.array([row.entry for row in ordered], dtype=np.int64)
        self.scales = {index: self._scale(index) for index in INDEXES}

    def __len__(self) -> int:
        return len(self._ids)

    def nearest(
        self, vector: array[float], ids: Iterable[int], *, limit: Mapping[Index, int]
    ) -> Nearness:
        """The nearest rows of each index, and the cosines of `ids` where they have a vector."""
        if not len(self):
            return Nearness(cosines={}, ids=(), mean=0.0, spread=0.0)
        every = self._rows @ np.frombuffer(vector, dtype=np.float32)
        found = [_best(every, places, limit[index]) for index, places in self._places.items()]
        best = np.concatenate(found)
        best = best[np.argsort(-every[best], kind="stable")]
        at = np.concatenate([best, self._at(ids)])
        return Nearness(
            cosines=dict(zip(self._ids[at].tolist(), every[at].tolist(), strict=True)),
            ids=tuple(self._ids[best].tolist()),
            mean=float(every.mean()),
            spread=float(every.std()),
        )

    def _scale(self, index: Index) -> Scale:
        """Measured on the base itself: embedders differ in what a cosine of .6 says."""
        places = self._places[index]
        ours, others = _spread(places, _SAMPLED), _spread(places, _AGAINST)
        apart = self._entries[ours][:, None] != self._entries[others][None, :]
        if not apart.any():
            return _UNKNOWN[index]
        cosines = np.where(apart, self._rows[ours] @ self._rows[others].T, -1.0)
        low = float(np.quantile(cosines[apart], _LOW))
        high = float(np.quantile(cosines.max(axis=1), _HIGH))
        reach = _REACHED[index] * (max(high, (1 + low) / 2) - low)
        return Scale(low=low, high=low + max(reach, 0.01))  # a base of equal texts has no reach

    def _at(self, ids: Iterable[int]) -> npt.NDArray[np.int64]:
        found = self._find(list(ids))
        return found[found >= 0]

    def _find(self, ids: Sequence[int]) -> npt.NDArray[np.int64]:
        """Where each id stands; -1 for one without a vector."""
        wanted = np.array(ids, dtype=np.int64)
        at = np.minimum(np.searchsorted(self._ids, wanted), len(self._ids) - 1)
        return np.where(self._ids[at] == wanted, at, -1)


def _best(every: Floats, places: npt.NDArray[np.int64], limit: int) -> npt.NDArray[np.int64]:
    """The places of the highest numbers, in no order."""
    if len(places) <= limit:
        return places
    return places[np.argpartition(-every[places], limit)[:limit]]


def _spread(places: npt.NDArray[np.int64], most: int) -> npt.NDArray[np.int64]:
    """At most so many, evenly picked."""
    if len(places) <= most:
        return places
    return places[np.linspace(0, len(places) - 1, most).astype(np.int64)]


def one_thread() -> None:
    """From now on a product runs in one thread: for one question more of them cost eight times
    the CPU and save no time. Without threadpoolctl numpy does as it does.
    """
    try:
        from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]  # no types
    except ImportError:
        return
    ThreadpoolController().limit(limits=1, user_api="blas")
