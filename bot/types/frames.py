"""What one message on a screen shows, and what a place allows."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from bot.types.values import value

SpanKind = Literal["bold", "italic", "strike", "code", "pre", "link", "quote", "heading", "spoiler"]


@value
class Span:
    """A mark on `RichText.text[start:end]` in code points. `detail` is a URL or code language."""

    start: int
    end: int
    kind: SpanKind
    detail: str = ""


@value
class RichText:
    """Plain text and the marks upon it; no platform's syntax."""

    text: str
    spans: tuple[Span, ...] = ()


@value
class Button:
    """Something to press under a message. `action` comes back as is; at most 64 bytes of UTF-8."""

    label: str
    action: str


ButtonRows = tuple[tuple[Button, ...], ...]


@value
class Frame:
    """What one message shall show. A `final` frame is never dropped and has a token reserved.

    `grows`: a placeholder, in whose message text is going to be written bit by bit. `full`: no more
    text comes into this message, though the answer goes on below it.
    """

    content: RichText
    buttons: ButtonRows = ()
    final: bool = True
    grows: bool = False
    full: bool = False


Guard = Callable[[], None]
"""Called just before bytes leave, on each attempt; raises LeaseLost when the lease has lapsed."""


@value
class Drafts:
    """How a draft is kept on screen: at least `interval` seconds from one to the next, and the
    same once more after `repeat` seconds of silence, before it fades.
    """

    interval: float
    repeat: float


@value
class Limits:
    """What a place allows. Lengths are in `measure` units; times in seconds.

    `first_characters` or `first_seconds`, whichever comes first, start the visible text; then
    frames follow `interval` apart, growing by `growth` up to `interval_max`. With `drafts` the
    growing end of a text is shown as a draft, and a message only when it is full or finished.
    For `burst_seconds` the first characters wait for the rest of what comes at one go: an answer
    that is there at once then takes one call instead of two.
    """

    text_max: int
    measure: Callable[[str], int] = len
    edits: bool = True
    placeholder: bool = True
    spans_max: int = 95
    first_characters: int = 20
    first_seconds: float = 0.3
    burst_seconds: float = 0.0
    interval: float = 1.0
    interval_max: float = 6.0
    growth: float = 1.3
    drafts: Drafts | None = None
