"""From what was written (Markdown) to what is shown: V, the one rendering of an answer.

Plain text and marks, no platform's syntax. What is no markup stays as it is: angle brackets,
entities, lone asterisks. Frames of an open text show no markers that are only half there.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from markdown_it.token import Token

from bot.text.parser import EMPHASIS, blocks, inline
from bot.text.table import Align, aligned
from bot.types import RichText, Span, SpanKind

_FENCE = re.compile(
    r"^((?:[ \t]|>|(?:[-*+]|\d{1,9}[.)])[ \t])*)(`{3,}|~{3,})([^\n]*)$", re.MULTILINE
)
_BULLETS = re.compile(r"[^>\s]")
# Possessive, and looked for in the last line only: a model may write thousands of blanks.
_FENCE_END = re.compile(r"\n?[ \t>]*+[`~]++[ \t]*+$")
_UNSURE_LINE = re.compile(
    r"\n?[ \t>]*+"
    r"(?:(?:[-+*]|\d{1,3}[.)])[ \t]++)*+"  # a list may begin in the item of another
    r"(?:[-=_*~` \t]*+$|(?:[-+*]|\d{1,3}[.)]?|#{1,6})[ \t]*+$|(?:`{3,}|~{3,})[^\n]*+$)"
)
_UNSURE_TABLE = re.compile(r"(?:^|\n)(?<!\|\n)\|[^\n]*(?:\n[|:\- \t]*)?$")
_LINKS = re.compile(r"(?:https?|tg)://|mailto:|tel:", re.IGNORECASE)
_RULE = "———"
STEP = 200
"""Characters between two looks for blocks that are finished."""


class Markdown:
    """The rendering of one text that grows: blocks that are finished are not parsed again."""

    def __init__(self) -> None:
        self._source = self._known = ""
        self._done: list[RichText] = []
        self._looked = 0
        self._last: tuple[str, bool, RichText] = "", True, RichText(text="")
        self._parsed: tuple[str, list[Token]] = "", []

    def __call__(self, text: str, *, final: bool) -> RichText:
        """The rich text; not `final`: the end is still open."""
        if self._last[:2] != (text, final):
            self._last = text, final, self._rendered(text, final=final)
        return self._last[2]

    def _rendered(self, text: str, *, final: bool) -> RichText:
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        if not text.startswith(self._known):
            self._source, self._known, self._done, self._looked = "", "", [], 0
        self._advance(text)
        tail = text[len(self._source) :]
        tokens = self._blocks(tail if final else _sure(tail, self._source[-2:]))
        pieces = self._done + list(_pieces(tokens, _last_inline(tokens, final=final)))
        return joined((piece for piece in pieces if piece.text), "\n\n")

    def _advance(self, text: str) -> None:
        """Keep the rendering of what stands before the last block whose first line is whole.

        An unfinished line may yet turn out to belong to the block before it, and so may another
        line in its place: the rendering holds for texts that have this one too. Looked for once in
        each STEP characters and before their end, so that the rhythm of the growth plays no part.
        """
        limit = len(text) // STEP * STEP
        if limit <= self._looked:
            return
        self._looked = limit
        tail = text[len(self._source) :]
        whole = text.count("\n", len(self._source), limit)
        tokens = self._blocks(tail)
        starts = [i for i, t in enumerate(tokens) if t.level == 0 and t.nesting >= 0 and t.map]
        done = [i for i in starts if (lines := tokens[i].map) and lines[0] < whole]
        if len(done) < 2:
            return
        last = done[-1]
        self._done.extend(piece for piece in _pieces(tokens[:last], None) if piece.text)
        first = (tokens[last].map or [0])[0]
        rows = [row + "\n" for row in tail.split("\n")]
        self._source += "".join(rows[:first])
        self._known = self._source + rows[first]

    def _blocks(self, text: str) -> list[Token]:
        """The blocks of this text; a tail in which nothing is finished is asked for twice."""
        if self._parsed[0] != text:
            self._parsed = text, blocks(text)
        return self._parsed[1]


def render(text: str, *, final: bool = True) -> RichText:
    """V(text) of a settled answer; not `final`: what is shown of an open one."""
    return Markdown()(text, final=final)


def closed(text: str) -> str:
    """The text with its last code fence closed, so that more can be written after it."""
    fence, prefix, _ = _open_fence(text)
    return f"{text.rstrip()}\n{_BULLETS.sub(' ', prefix)}{fence}" if fence else text


def open_block(text: str) -> tuple[str, str]:
    """The run of the code fence that nothing closes and its language; empty where there is none."""
    fence, _, info = _open_fence(text)
    return fence, info.strip().partition(" ")[0]


def _open_fence(text: str) -> tuple[str, str, str]:
    """The run of a code fence that nothing closes; what stands before and behind it on its line."""
    fence = prefix = opened = ""
    for match in _FENCE.finditer(text):
        run, info = match[2], match[3]
        if not fence and (run[0] == "~" or "`" not in info):
            fence, prefix, opened = run, match[1], info
        elif fence and run[0] == fence[0] and len(run) >= len(fence) and not info.strip():
            fence = ""
    return fence, prefix, opened if fence else ""


def _sure(tail: str, before: str) -> str:
    """An open text without what at its end cannot be judged yet.

    `before`: the end of what stands before it. A row behind that may belong to a table there.
    """
    if _open_fence(tail)[0]:
        return _without_last_line(tail, _FENCE_END)
    body = _without_last_line(tail, _UNSURE_LINE)
    table = _UNSURE_TABLE.search(before + body, max(0, len(before) - 1))
    return body[: max(0, table.start() - len(before))] if table else body


def _without_last_line(text: str, pattern: re.Pattern[str]) -> str:
    """The text without its last line where that is of this kind."""
    body = text.removesuffix("\n")
    start = max(0, body.rfind("\n"))
    return text[:start] + text[len(body) :] if pattern.match(body, start) else text


def _last_inline(tokens: Sequence[Token], *, final: bool) -> Token | None:
    """The paragraph that is still being written."""
    if final:
        return None
    content = [token for token in tokens if token.type in ("inline", "fence")]
    return content[-1] if content and content[-1].type == "inline" else None


# --- joining ---------------------------------------------------------------------------------


def joined(pieces: Iterable[RichText], between: str) -> RichText:
    """The pieces as one, their spans moved along."""
    text, spans = "", list[Span]()
    for number, piece in enumerate(pieces):
        text += between if number else ""
        spans += _moved(piece.spans, len(text))
        text += piece.text
    return RichText(text=text, spans=tuple(spans))


def _moved(spans: Iterable[Span], by: int) -> Iterator[Span]:
    return (replace(span, start=span.start + by, end=span.end + by) for span in spans)


def _marked(rich: RichText, kind: SpanKind, detail: str = "") -> RichText:
    """The whole of it inside one more span."""
    if not rich.text:
        return rich
    span = Span(start=0, end=len(rich.text), kind=kind, detail=detail)
    return RichText(text=rich.text, spans=(span, *rich.spans))


# --- blocks ----------------------------------------------------------------------------------


def _pieces(tokens: Sequence[Token], growing: Token | None, depth: int = 0) -> Iterator[RichText]:
    """The rendered blocks, in order."""
    position = 0
    while position < len(tokens):
        token = tokens[position]
        end = _closing(tokens, position)
        yield _block(token, tokens[position + 1 : end], growing, depth)
        position = end + 1


def _closing(tokens: Sequence[Token], position: int) -> int:
    """Where the block that begins here ends."""
    opening = tokens[position]
    if opening.nesting != 1:
        return position
    for end in range(position + 1, len(tokens)):
        if tokens[end].level == opening.level and tokens[end].nesting == -1:
            return end
    return len(tokens)


def _block(token: Token, inner: Sequence[Token], growing: Token | None, depth: int) -> RichText:
    """One block."""
    match token.type:
        case "inline":
            return _text(inline(token.content, open_end=token is growing))
        case "heading_open":
            return _marked(joined(_pieces(inner, growing, depth), "\n"), "heading")
        case "bullet_list_open" | "ordered_list_open":
            return joined(_items(token, inner, growing, depth), "\n")
        case "blockquote_open":
            quoted = (piece for piece in _pieces(inner, growing, depth) if piece.text)
            return _marked(joined(quoted, "\n"), "quote")
        case "fence":
            language = token.info.split()[0] if token.info.split() else ""
            return _marked(RichText(text=token.content.rstrip("\n")), "pre", language)
        case "table_open":
            return _marked(RichText(text=_table(inner, growing)), "pre")
        case "hr":
            return RichText(text=_RULE)
        case _:
            return joined(_pieces(inner, growing, depth), "\n")


def _items(
    opening: Token, inner: Sequence[Token], growing: Token | None, depth: int
) -> Iterator[RichText]:
    """The items of a list, each with its bullet or number; further lists in them stand deeper."""
    position, number = 0, int(opening.attrGet("start") or 1)
    while position < len(inner):
        end = _closing(inner, position)
        bullet = "•" if opening.type.startswith("bullet") else f"{number}{opening.markup}"
        content = [p for p in _pieces(inner[position + 1 : end], growing, depth + 1) if p.text]
        first_is_text = bool(content) and inner[position + 1].type == "paragraph_open"
        head = RichText(text="  " * depth + bullet + " ")
        if first_is_text:
            content[0] = joined((head, content[0]), "")
        elif content or growing is None:
            content.insert(0, RichText(text=head.text.rstrip()))
        if content:
            yield joined(content, "\n")
        position, number = end + 1, number + 1


def _table(inner: Sequence[Token], growing: Token | None) -> str:
    """The rows in columns; marks inside cells are dropped, code has none."""
    rows: list[list[str]] = []
    aligns: list[Align] = []
    for token in inner:
        if token.type == "tr_open":
            rows.append([])
        elif token.type == "th_open":
            aligns.append(_align(str(token.attrGet("style") or "")))
        elif token.type == "inline":
            rows[-1].append(_text(inline(token.content, open_end=token is growing)).text)
    return aligned(rows, aligns)


def _align(style: str) -> Align:
    if "right" in style:
        return "right"
    return "center" if "center" in style else "left"


# --- inside a paragraph ----------------------------------------------------------------------


class _Writer:
    """Text with spans that open and close as it is written."""

    def __init__(self) -> None:
        self.text = ""
        self.spans: list[Span] = []
        self._open: list[tuple[SpanKind, str, int]] = []

    def open(self, kind: SpanKind, detail: str = "") -> None:
        """A span begins here."""
        self._open.append((kind, detail, len(self.text)))

    def close(self, kind: SpanKind) -> None:
        """The last open span of this kind ends here."""
        for number in range(len(self._open) - 1, -1, -1):
            if self._open[number][0] == kind:
                self._end(*self._open.pop(number))
                return

    def write(self, text: str, kind: SpanKind | None = None, detail: str = "") -> None:
        """More text, in a span of its own if it has a kind."""
        start = len(self.text)
        self.text += text
        if kind is not None:
            self._end(kind, detail, start)

    def rich(self) -> RichText:
        """What was written; spans still open hold to its end."""
        while self._open:
            self._end(*self._open.pop())
        self.spans.sort(key=lambda span: (span.start, -span.end))
        return RichText(text=self.text, spans=tuple(self.spans))

    def _end(self, kind: SpanKind, detail: str, start: int) -> None:
        if kind == "link" and not _LINKS.match(detail):
            # Nothing to click: the target is said beside the label.
            self.text += f" ({detail})" if detail and detail != self.text[start:] else ""
        elif start < len(self.text) and not any(kind == outer for outer, _, _ in self._open):
            # One inside another of its kind shows nothing more, and thousands may be nested.
            self.spans.append(Span(start=start, end=len(self.text), kind=kind, detail=detail))


def _text(tokens: Iterable[Token]) -> RichText:
    """The tokens of a paragraph as text with marks."""
    writer = _Writer()
    for token in tokens:
        name, _, edge = token.type.rpartition("_")
        if token.type in ("softbreak", "hardbreak"):
            writer.write("\n")
        elif token.type == "code_inline":
            writer.write(token.content, "code")
        elif token.type == "image":
            writer.write(token.content or "🖼", "link", str(token.attrGet("src") or ""))
        elif token.type == "link_open":
            writer.open("link", str(token.attrGet("href") or ""))
        elif token.type == "link_close":
            writer.close("link")
        elif name in EMPHASIS:
            (writer.open if edge == "open" else writer.close)(EMPHASIS[name])
        else:
            writer.write(token.content)
    return writer.rich()
