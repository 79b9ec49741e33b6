"""Markdown to tokens: markdown-it without HTML, with emphasis that works beside CJK text.

Left out, so that a text can grow without what stands changing its meaning: headings by
underlining, link definitions, code by indentation. HTML and entities are text here.
"""

from __future__ import annotations

import re
from collections.abc import MutableMapping
from typing import Any, Literal

from markdown_it import MarkdownIt
from markdown_it.parser_inline import ParserInline
from markdown_it.rules_inline.state_inline import Delimiter, Scanned, StateInline
from markdown_it.token import Token

_CJK = re.compile(
    "[\u2e80-\u2fff\u3040-\u30ff\u3100-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
    "\U00020000-\U0003ffff]"
)
_CJK_MARK = re.compile(
    "[\u3001-\u3020\u3030\uff01-\uff0f\uff1a-\uff20\uff3b-\uff40\uff5b-\uff65\u201c\u201d\u2026]"
)
_TILDE = 0x7E
_RUN = re.compile(r"`+")
_TRAILING = re.compile(r"(?:(?<![*_~`])[*_~`]++|!)$")
_HALF_TARGET = re.compile(r"!?\[[^\[\]\n]*\]\([^()\s]*(?:\s\"[^\"]*)?$")
_HALF_LABEL = re.compile(r"!?\[[^\[\]\n]{0,200}$")


class _State(StateInline):
    """CommonMark wants white space beside a marker that stands next to punctuation.

    CJK text has none, so there a CJK character does as well, and so does CJK punctuation itself:
    `**重点。**后面` is bold.
    """

    def scanDelims(self, start: int, canSplitWord: bool) -> Scanned:  # noqa: N802, N803, FBT001 (markdown-it's name)
        scanned = super().scanDelims(start, canSplitWord)
        end = start + scanned.length
        before = self.src[start - 1] if start else " "
        after = self.src[end] if end < self.posMax else " "
        if not canSplitWord or (scanned.can_open and scanned.can_close):
            return scanned
        opens = not after.isspace() and (_CJK.match(before) or _CJK_MARK.match(after))
        closes = not before.isspace() and (_CJK.match(after) or _CJK_MARK.match(before))
        return Scanned(
            can_open=scanned.can_open or bool(opens),
            can_close=scanned.can_close or bool(closes),
            length=scanned.length,
        )


class _Inline(ParserInline):
    """The inline parser over our state."""

    def parse(
        self, src: str, md: MarkdownIt, env: MutableMapping[str, Any], tokens: list[Token]
    ) -> list[Token]:
        state = _State(src, md, env, tokens)
        self.tokenize(state)
        for rule in self.ruler2.getRules(""):
            rule(state)
        return state.tokens


def _open_ends(state: StateInline) -> None:
    """In an open text, emphasis that nothing closes yet holds to the end."""
    if not state.env.get("open"):
        return
    waiting = [d for d in state.delimiters if d.open and d.end == -1]
    while waiting:
        run = [waiting.pop(0)]
        while waiting and _adjoins(run[-1], waiting[0]):
            run.append(waiting.pop(0))
        _begin(state, run)


def _adjoins(one: Delimiter, other: Delimiter) -> bool:
    return one.marker == other.marker and one.token + 1 == other.token


def _begin(state: StateInline, run: list[Delimiter]) -> None:
    """Make a run of markers the beginnings of spans."""
    strong = len(run) // 2 if run[0].marker != _TILDE else 0
    for number, delimiter in enumerate(run):
        token = state.tokens[delimiter.token]
        token.content = ""
        if run[0].marker == _TILDE:
            token.type = "s_open"
        elif number < 2 * strong:
            token.type = "strong_open" if number % 2 == 0 else "text"
        else:
            token.type = "em_open"


def _parser() -> MarkdownIt:
    md = MarkdownIt()
    md.inline = _Inline()
    md.configure("commonmark", {"html": False, "breaks": True, "maxNesting": 30})
    md.enable(["table", "strikethrough"])
    md.disable(["code", "html_block", "lheading", "reference", "html_inline", "entity"])
    md.core.ruler.enableOnly(["normalize", "block"])
    md.inline.ruler2.after("balance_pairs", "open_ends", _open_ends)
    return md


_MD = _parser()


def blocks(text: str) -> list[Token]:
    """The block tokens; text inside them is not parsed yet (see `inline`)."""
    return _MD.parse(text)


def inline(content: str, *, open_end: bool = False) -> list[Token]:
    """The tokens of one paragraph's text. `open_end`: it is still being written.

    Then markers at its end that cannot be judged yet, and half a link, are left out; code and
    emphasis that nothing closes hold to the end. So all that is shown stands, but for its end.
    """
    if not open_end:
        return _MD.inline.parse(content, _MD, {}, [])
    content = _TRAILING.sub("", content)
    before, code = _open_code(content)
    if code is None:
        before = _HALF_LABEL.sub("", _HALF_TARGET.sub("", before))
    tokens = _MD.inline.parse(before, _MD, {"open": True}, [])
    if code:
        token = Token("code_inline", "code", 0)
        token.content = code.replace("\n", " ").lstrip()
        tokens.append(token)
    return tokens


def _open_code(content: str) -> tuple[str, str | None]:
    """The text before code that nothing closes, and that code; None: there is no such code."""
    position = 0
    while run := _RUN.search(content, position):
        if run.start() and content[run.start() - 1] == "\\":
            position = run.end()
            continue
        closing = next((m for m in _RUN.finditer(content, run.end()) if m[0] == run[0]), None)
        if closing is None:
            return content[: run.start()], content[run.end() :]
        position = closing.end()
    return content, None


Emphasis = Literal["bold", "italic", "strike"]

EMPHASIS: dict[str, Emphasis] = {"strong": "bold", "em": "italic", "s": "strike"}
"""The kind of span that a token's name, without `_open` or `_close`, stands for."""
