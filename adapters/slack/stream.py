"""What may be appended to a message that Slack streams, and when to stop appending; pure.

What was appended cannot be taken back. So only that part of a growing text leaves which will stand
whatever is written next, and each piece is whole by itself: never half an escape, a mark, a link or
a fence. Where a text turns out otherwise after all, the message goes on by edits.
"""

from __future__ import annotations

import re

from adapters.slack.render import markdown, shown
from bot.text.split import cut
from bot.types import ConversationId, Frame, RichText, Span, value

LIFE_SECONDS = 240.0
"""A stream is left at this age: Slack ends it some 300 s after its start, whatever is appended."""
STREAM_BYTES = 9_000
"""UTF-8 bytes of one stream, all appends together. Slack documents 12,000 characters for a call;
whole streams were cut from about 10,600 bytes on."""

_BLOCKS = ("quote", "heading")
"""Spans whose beginning alone is written: they may grow."""
_TABLE = re.compile(r"[^\n]*\n-+(?:\+-+)*(?:\n|$)")
_MARKS_ONLY = re.compile(r"[\s#>+\-=*_~`|\\]*")
_TORN = re.compile(r"(?:\\|&[#\w]{0,32})$")
_TORN_MAX = 34


@value
class Append:
    """Add this to what is streamed."""

    text: str


@value
class Close:
    """Add the rest, if any, and end the stream: it shows the frame then."""

    rest: str


@value
class Keep:
    """Nothing new can be appended yet."""


@value
class Leave:
    """End the stream as it is; from here on the message is edited."""


Move = Append | Close | Keep | Leave


class Stream:
    """One streamed message: `text` is what Slack has acknowledged of it.

    `sure`: that is all that stands there. `stopped`: a person pressed Slack's Stop.
    """

    __slots__ = ("born", "conversation", "stopped", "sure", "text")

    def __init__(self, conversation: ConversationId, born: float) -> None:
        self.conversation = conversation
        self.born = born
        self.text = ""
        self.sure = True
        self.stopped = False

    def move(self, frame: Frame, now: float) -> Move:
        """What brings the message nearer to the frame."""
        if frame.grows or (self.stopped and not frame.final):
            return Keep()
        if not self.sure or self.stopped or now - self.born >= LIFE_SECONDS:
            return Leave()
        ends = frame.final or frame.full
        wanted = shown(frame.content) if ends else settled(frame.content)
        if not ends and self.text.startswith(wanted):
            return Keep()
        if not wanted.startswith(self.text) or len(wanted.encode()) > STREAM_BYTES:
            return Leave()
        rest = wanted[len(self.text) :]
        return Close(rest=rest) if ends else Append(text=rest)


def settled(content: RichText) -> str:
    """The beginning of what the content shows that will stand whatever is written after it.

    It ends after white space, never before: Slack may drop it at the head of a piece.
    """
    firm = _firm(content)
    if firm <= 0:
        return ""
    now = markdown(content).lstrip()
    end = _alike(now, markdown(cut(content, 0, firm)).lstrip())
    while end and (
        end == len(now) or now[end].isspace() or _TORN.search(now[max(0, end - _TORN_MAX) : end])
    ):
        end -= 1
    return now[:end]


def _alike(one: str, other: str) -> int:
    """How far the two are the same."""
    low, high = 0, min(len(one), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if one[:middle] == other[:middle] else (low, middle - 1)
    return low


def _firm(content: RichText) -> int:
    """Up to where the text and its spans are sure not to change."""
    text = content.text
    open_spans = [span for span in content.spans if span.end >= len(text)]
    code = next((span for span in open_spans if span.kind == "pre"), None)
    if code is not None:
        return _firm_code(text, code)
    line = text.rfind("\n") + 1
    marks = [line] if _MARKS_ONLY.fullmatch(text, line) else []
    starts = [span.start for span in open_spans if span.kind not in _BLOCKS]
    return min((len(text) - 1, *marks, *starts))


def _firm_code(text: str, code: Span) -> int:
    """Behind the last whole line of code, and the indentation of the next. A table stands when it
    is whole: its columns move with every row.
    """
    if not code.detail and _TABLE.match(text, code.start):
        return code.start
    end = len(text)
    while (line := text.rfind("\n", code.start, end)) >= 0:
        inner = text[line:].lstrip()
        if inner:
            return len(text) - len(inner)
        end = line
    return code.start
