"""Neutral rich text as Slack's standard markdown, and a frame as the blocks of a message; pure.

Nothing that comes through here can ping: every mention or link token of Slack's needs a `<`, in a
`markdown` block too, and none leaves unescaped. Escapes are set only where markdown would otherwise
read a mark into plain text, so what is shown is what was written.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from bot.types import Button, ButtonRows, Frame, RichText, Span

TEXT_MAX = 9_000
"""UTF-8 bytes of one message. Slack's `markdown` block takes 12,000 characters; the rest is room
for marks, links and escapes, and for limits that count bytes."""
BLOCK_MAX = 12_000
"""Characters of all `markdown` blocks of one payload (Slack's block reference)."""
LABEL_MAX = 75
"""Characters of a button's label (Slack's block reference)."""
SUMMARY_MAX = 150
"""Characters of the plain `text` beside the blocks: it is for notifications only, and an update's
`text` is cut at 4,000 bytes without a word."""

_MARKS = {"bold": "**", "italic": "*", "strike": "~~"}
_ESCAPED = re.compile(
    r"\\(?=[!-/:-@\[-`{-~]|$)|`|\*|~|(?<![^\W_])_|_(?![^\W_])|\](?=[(\[:])|!(?=\[)|<|&(?=#?\w+;)"
)
_BRACKETS = re.compile(r"(?<!\\)[\[\]]")
_LINE_MARK = re.compile(r"^(?:#{1,6}(?=\s|$)|>|\+(?=\s|$)|[-=](?=[-= ]*$))")
_AMPERSAND = re.compile(r"&(?=#?\w+;)")
_INDENT = re.compile(r"^[ \t]+", re.MULTILINE)
_LINKS = ("http://", "https://", "mailto:")


def measure(text: str) -> int:
    """UTF-8 bytes of a text as it is sent, with an upper bound for its escapes."""
    extra = 3 * text.count("<") + 4 * text.count("&") + 2 * text.count("\n")
    extra += 8 * sum(map(len, _INDENT.findall(text)))
    return len(text.encode()) + extra + sum(map(text.count, "\\`*~_]#>+=-"))


def blocks(frame: Frame) -> list[dict[str, Any]]:
    """The blocks that show a frame."""
    return [{"type": "markdown", "text": shown(frame.content)}, *rows(frame.buttons)]


def shown(content: RichText) -> str:
    """The markdown that shows the content, never blank."""
    return markdown(content).strip() or "…"


def rows(rows: ButtonRows) -> Iterator[dict[str, Any]]:
    """One block for each row of buttons; an action id is unique in its message."""
    for number, row in enumerate(rows):
        if row:
            yield {
                "type": "actions",
                "elements": [_button(f"press:{number}:{at}", b) for at, b in enumerate(row)],
            }


def _button(action_id: str, button: Button) -> dict[str, Any]:
    label = button.label[:LABEL_MAX]
    return {
        "type": "button",
        "action_id": action_id,
        "text": {"type": "plain_text", "text": label},
        "value": button.action,
    }


def summary(content: RichText) -> str:
    """Plain text for notifications, in the older `mrkdwn` escaping."""
    plain = " ".join(content.text.split())
    cut = plain if len(plain) <= SUMMARY_MAX else plain[: SUMMARY_MAX - 1] + "…"
    return cut.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;") or "…"


def markdown(content: RichText) -> str:
    """Standard markdown of the content; without link targets where these burst the block."""
    whole = _render(content, links=True)
    return whole if len(whole) <= BLOCK_MAX else _render(content, links=False)


def _render(content: RichText, *, links: bool) -> str:
    """All of the content: fenced code apart, everything else line by line."""
    out: list[str] = []
    at = 0
    for fence in sorted((s for s in content.spans if s.kind == "pre"), key=lambda s: s.start):
        if fence.start < at:
            continue
        out.append(_lines(content, at, fence.start, links=links))
        if out[-1] and not out[-1].endswith("\n"):
            out.append("\n")
        out.append(_fenced(content.text[fence.start : fence.end], fence.detail))
        at = fence.end
        if at < len(content.text) and content.text[at] != "\n":
            out.append("\n")
    out.append(_lines(content, at, len(content.text), links=links))
    return "".join(out)


def _fenced(code: str, language: str) -> str:
    """A code block, its fence longer than any run of backticks within."""
    fence = "`" * max(3, _longest_run(code) + 1)
    word = re.sub(r"[^\w+#.-]", "", language)
    return f"{fence}{word}\n{_no_tokens(code).rstrip(chr(10))}\n{fence}"


def _longest_run(code: str) -> int:
    return max((len(run) for run in re.findall(r"`+", code)), default=0)


def _no_tokens(code: str) -> str:
    """Code whose `<` cannot start a token; Slack decodes the entity, and does not look again."""
    return _AMPERSAND.sub("&amp;", code).replace("<", "&lt;")


def _lines(content: RichText, start: int, end: int, *, links: bool) -> str:
    """The lines of a stretch without code blocks. What follows a quote is kept out of it.

    Between two lines of text stands markdown's hard break, two spaces: right whether or not Slack
    takes a single line end for one.
    """
    out: list[str] = []
    at, quoting, headed = start, False, False
    for line in content.text[start:end].split("\n"):
        here = [s for s in content.spans if s.start <= at + len(line) and s.end >= at]
        quoted = any(s.kind == "quote" and s.start <= at < s.end for s in here)
        if out:
            apart = quoting and not quoted and line.strip()
            soft = out[-1].strip() and line.strip() and not apart and not headed
            out.append("\n\n" if apart else "  \n" if soft else "\n")
        headed = any(s.kind == "heading" and s.start <= at < s.end for s in here)
        signs = ("> " if quoted else "") + ("# " if headed and line.strip() else "")
        out.append(signs + _line(content.text, at, at + len(line), here, links=links))
        at, quoting = at + len(line) + 1, quoted
    return "".join(out)


def _line(text: str, start: int, end: int, spans: list[Span], *, links: bool) -> str:
    """One line; its indentation kept by spaces that markdown does not count."""
    inner = start + len(text[start:end]) - len(text[start:end].lstrip(" \t"))
    inline = _LINE_MARK.sub(_escaped_mark, _inline(text, inner, end, spans, links=links))
    return text[start:inner].replace("\t", "    ").replace(" ", "\u00a0") + inline


def _escaped_mark(mark: re.Match[str]) -> str:
    """A line that only looks like a heading, quote, list or rule."""
    return "&gt;" if mark.group() == ">" else "\\" + mark.group()


def _inline(text: str, start: int, end: int, spans: list[Span], *, links: bool) -> str:
    """Text of one line with its inline marks, properly nested; code takes no marks inside."""
    marks = list(_clipped(text, start, end, spans, links=links))
    edges = sorted({start, end, *(m.start for m in marks), *(m.end for m in marks)})
    out: list[str] = []
    stack: list[Span] = []
    for left, right in pairwise(edges):
        active = [m for m in marks if m.start <= left and m.end >= right]
        while not all(span in active for span in stack):
            out.append(_closing(stack.pop(), text))
        for span in sorted(active, key=lambda s: (s.kind == "code", s.start, -s.end)):
            if span not in stack:
                stack.append(span)
                out.append(_opening(span, text, out[-1] if out else ""))
        out.append(_piece(text, left, right, stack))
    out.extend(_closing(span, text) for span in reversed(stack))
    return "".join(out)


def _piece(text: str, left: int, right: int, stack: list[Span]) -> str:
    """A stretch under the same marks, escaped for where it stands."""
    if any(span.kind == "code" for span in stack):
        return _no_tokens(text[left:right])
    out, at = [], left
    for found in _ESCAPED.finditer(text, left, right):
        out.append(text[at : found.start()])
        out.append({"<": "&lt;", "&": "&amp;"}.get(found.group(), "\\" + found.group()))
        at = found.end()
    out.append(text[at:right])
    piece = "".join(out)
    linked = any(span.kind == "link" for span in stack)
    return _BRACKETS.sub(r"\\\g<0>", piece) if linked else piece


def _clipped(text: str, start: int, end: int, spans: list[Span], *, links: bool) -> Iterator[Span]:
    """Inline spans within a line, their edges where markdown accepts a mark."""
    codes = [span for span in spans if span.kind == "code"]
    for span in spans:
        left, right = max(start, span.start), min(end, span.end)
        if span.kind in _MARKS and not any(_within(edge, codes) for edge in (left, right)):
            left, right = _flanked(text, start, end, left, right)
        elif span.kind != "code" and not (
            span.kind == "link" and links and span.detail.startswith(_LINKS)
        ):
            continue
        if left < right:
            yield Span(start=left, end=right, kind=span.kind, detail=span.detail)


def _within(edge: int, codes: list[Span]) -> bool:
    """Whether an edge falls inside code, where a mark would be text."""
    return any(code.start < edge < code.end for code in codes)


def _flanked(text: str, start: int, end: int, left: int, right: int) -> tuple[int, int]:
    """Edges of an emphasis, moved inward until markdown takes its marks for marks.

    A mark must touch no space on its inner side, and no punctuation there if a letter stands
    outside: in `**加粗。**后面` the full stop goes outside. The text stays the same.
    """
    while left < right and (
        text[left].isspace()
        or (left > start and text[left - 1].isalnum() and not text[left].isalnum())
    ):
        left += 1
    while left < right and (
        text[right - 1].isspace()
        or (right < end and text[right].isalnum() and not text[right - 1].isalnum())
    ):
        right -= 1
    return left, right


def _opening(span: Span, text: str, before: str) -> str:
    """The mark that opens a span. A `!` before a link would make it a picture."""
    if span.kind == "link":
        return "\u200b[" if before.endswith("!") else "["
    return _ticks(span, text)[0] if span.kind == "code" else _MARKS[span.kind]


def _closing(span: Span, text: str) -> str:
    if span.kind == "link":
        return f"]({_target(span.detail)})"
    return _ticks(span, text)[1] if span.kind == "code" else _MARKS[span.kind]


def _ticks(span: Span, text: str) -> tuple[str, str]:
    """Backticks around inline code: longer than any run within, and apart from it."""
    code = text[span.start : span.end]
    ticks = "`" * (_longest_run(code) + 1)
    pad = " " if code.startswith("`") or code.endswith("`") else ""
    return ticks + pad, pad + ticks


def _target(url: str) -> str:
    """A link's address with all that could end it, or start a token, percent-encoded."""
    return re.sub(r"[\s<>()|\\]", lambda sign: f"%{ord(sign.group()):02X}", url)
