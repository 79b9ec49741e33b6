"""A skill's text as it streams, checked for citations; pure."""

from __future__ import annotations

from collections.abc import Sequence

from bot.engine.citations import CitationFilter
from bot.types import Citation, Text


class Page:
    """Takes what the model says; gives what may be shown of it now."""

    def __init__(self, *, offered: Sequence[Citation] = ()) -> None:
        self._offered = tuple(offered)
        self.restart()

    def restart(self) -> None:
        """The model begins anew."""
        self._filter = CitationFilter(self._offered)

    @property
    def cited(self) -> tuple[Citation, ...]:
        """What the text cites."""
        return self._filter.cited

    def grow(self, delta: str) -> Text | None:
        """What may be shown because of more text."""
        text = self._filter.feed(delta) if self._offered else delta
        return Text(delta=text) if text else None

    def rest(self) -> Text | None:
        """What was undecided at the end."""
        text = self._filter.flush()
        return Text(delta=text) if text else None
