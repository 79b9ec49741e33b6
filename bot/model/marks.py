"""Takes a model's own marks out of its text while it streams, wherever the stream is cut. Pure.

GLM-Z1 and others put their reasoning inside the content between think tags; GLM-4.5V may leave
box marks. Neither is for the reader.
"""

from __future__ import annotations

import re

_THINK, _ANSWER = "<think>", "</think>"
_DROPPED = (_ANSWER, "<|begin_of_box|>", "<|end_of_box|>")
_MARKS = re.compile("|".join(re.escape(mark) for mark in (_THINK, *_DROPPED)))


class MarkFilter:
    """Text in, visible text out; what stands between think tags is counted, not kept."""

    def __init__(self) -> None:
        self.hidden = 0
        self._held = ""
        self._thinking = False
        self._lead = False

    def feed(self, text: str) -> str:
        """The visible text that is certain by now; the start of a mark is held back."""
        if not self._held and not self._thinking and not self._lead and "<" not in text:
            return text
        text = self._held + text
        keep = _held_from(text, (_ANSWER,) if _open(text, before=self._thinking) else _ALL)
        text, self._held = text[:keep], text[keep:]
        return self._visible(text)

    def close(self) -> str:
        """What was held back and is no mark after all."""
        text, self._held = self._held, ""
        return self._visible(text)

    def _visible(self, text: str) -> str:
        out: list[str] = []
        at = 0
        for mark in _MARKS.finditer(text):
            if self._thinking and mark.group() != _ANSWER:
                continue
            self._pass(text[at : mark.start()], out)
            self._thinking = mark.group() == _THINK
            self._lead = self._lead or mark.group() == _ANSWER
            at = mark.end()
        self._pass(text[at:], out)
        return "".join(out)

    def _pass(self, text: str, out: list[str]) -> None:
        """Show or count; the blank lines between a thought and the answer belong to neither."""
        if self._thinking:
            self.hidden += len(text)
            return
        if self._lead:
            text = text.lstrip()
            self._lead = not text
        out.append(text)


_ALL = (_THINK, *_DROPPED)


def _open(text: str, *, before: bool) -> bool:
    """Whether a thought is open at the end of this text: the last tag tells, or what was before."""
    opened, closed = text.rfind(_THINK), text.rfind(_ANSWER)
    return before if opened == closed else opened > closed


def _held_from(text: str, marks: tuple[str, ...]) -> int:
    """Where the longest end of `text` begins that may become one of `marks`."""
    for start in range(max(0, len(text) - max(map(len, marks)) + 1), len(text)):
        if text[start] == "<" and any(mark.startswith(text[start:]) for mark in marks):
            return start
    return len(text)
