"""The rest of an answer that broke off: what is asked of the model, and where its text begins.

A model that is told to go on often says the last words once more, or begins again from the first.
What stands already is never shown a second time.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from typing import TypeVar

from bot.types import ModelDone, ModelReset, ModelText

REPEAT_MIN = 6
"""Characters at the end of what stands that are no chance when the rest begins with them: a
sentence of Chinese has as many, and so has a long word."""
AGAIN_MIN = 40
"""So much text that stood there before is no rest, though it ended before it came to the end."""

_FIRST_LINE = re.compile(r"\s*(`{3,}|~{3,})([^\n`]*)(\n|\Z)")

T = TypeVar("T")


class Seam:
    """Feed it the deltas of the rest; it gives back what goes on where `pieces` end.

    Text is held back while it may still be a repetition, which takes a few words.
    """

    def __init__(self, pieces: Sequence[str]) -> None:
        from bot.text.markdown import open_block  # a parser that few short commands need

        self._before = "\n".join(pieces).rstrip()
        self._fence, self._language = open_block(self._before)
        self._held = ""
        self._decided = False

    def feed(self, delta: str) -> str:
        """The text that is decided now."""
        if self._decided:
            return delta
        self._held += delta
        if self._may_repeat() or self._may_open():
            return ""
        return self._decide()

    def flush(self) -> str:
        """What was held back, at the end of the stream; nothing of it when it all stood before."""
        if self._decided:
            return ""
        again = self._held.strip()
        if len(again) >= AGAIN_MIN and again in self._before:
            self._held = ""
        return self._decide()

    def _may_repeat(self) -> bool:
        """All of it so far stands before, and not only at the end."""
        said = self._held.lstrip()
        at = self._before.find(said)
        return 0 <= at < len(self._before) - len(said)

    def _may_open(self) -> bool:
        """It may be about to open the code block again in which the text broke off."""
        if not self._fence:
            return False
        said = self._held.lstrip()
        return "\n" not in said and (not said or said.startswith(self._fence[0]))

    def _decide(self) -> str:
        """The held text without what stands before it, in the code block where it belongs."""
        self._decided = True
        text, self._held = self._held, ""
        said = text.lstrip()
        repeated = next(
            (n for n in range(len(said), REPEAT_MIN - 1, -1) if self._before.endswith(said[:n])), 0
        )
        text = said[repeated:] if repeated else text
        return self._in_its_block(text) if self._fence and text.strip() else text

    def _in_its_block(self, text: str) -> str:
        """Text that goes on inside code opens the block, unless it does so itself or closes it."""
        first = _FIRST_LINE.match(text)
        if first is None:
            return f"{self._fence}{self._language}\n" + text.lstrip("\n")
        if first[2].strip() or not self._language:
            return text.lstrip()
        return text[first.end() :]  # its end alone was missing: on screen the block is closed


async def going_on(
    events: AsyncIterator[T], pieces: Sequence[str]
) -> AsyncGenerator[T | ModelText, None]:
    """A model's events with only that text which goes on where `pieces` end; all where there are
    none.
    """
    if not pieces:
        async for event in events:
            yield event
        return
    seam = Seam(pieces)
    async for event in events:
        if isinstance(event, ModelText):
            if delta := seam.feed(event.delta):
                yield ModelText(delta=delta)
        else:
            if isinstance(event, ModelReset):
                seam = Seam(pieces)
            elif isinstance(event, ModelDone) and (rest := seam.flush()):
                yield ModelText(delta=rest)
            yield event
