"""HTML, PDF and DOCX as headings and blocks. Their libraries are imported when first needed.

What a library raises is not caught: these readers run in the sandbox, where a death has a name.
"""

from __future__ import annotations

import importlib
import io
import re
import zipfile
from collections.abc import Callable, Iterator, Sequence
from types import ModuleType
from typing import Any

from bot.errors import Cause
from bot.knowledge.causes import refused
from bot.knowledge.chunk import Block, Heading, Table, paragraphs
from bot.types import value

PAGES_MAX = 2000
"""Pages of one PDF."""
PAGES_NAMED = 20
"""Pages without text that are named."""
UNPACKED_MAX = 200 * 1024 * 1024
"""Bytes a DOCX may hold unpacked: beyond it, it is a bomb or no text."""

_SILENT = "script, style, nav, footer, aside, form, noscript, template, iframe, svg, head > *"
_TEXTUAL = frozenset({"p", "pre", "li", "blockquote", "dt", "dd", "figcaption", "summary"})
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_SPACES = re.compile(r"[ \t\r\n\f\v\u00a0]+")
_WRAPPED = re.compile(r"(?<=[^\x00-\u2e7f])\n(?=[^\x00-\u2e7f])")


@value
class Content:
    """A file as headings and blocks, in order."""

    title: str
    items: tuple[Heading | Block, ...]
    notes: tuple[Cause, ...] = ()


def html(uri: str, content: bytes) -> Content:
    """What a page says: without scripts, styles, navigation and forms."""
    page = _library(uri, "selectolax.lexbor").LexborHTMLParser(content)
    title = page.css_first("title")
    named = _clean(title.text()) if title else ""
    for node in page.css(_SILENT):
        if node.tag != "title":
            node.decompose()
    for line_break in page.css("br"):
        line_break.replace_with(" ")
    return Content(title=named, items=tuple(_items(page.body)) if page.body else ())


def _items(parent: Any) -> Iterator[Heading | Block]:
    for node in parent.iter(include_text=True):
        tag = node.tag or ""
        if tag in _HEADINGS:
            yield Heading(level=_HEADINGS[tag], text=_clean(node.text()))
        elif tag == "table":
            yield from _table(node)
        elif tag in _TEXTUAL or tag == "-text":
            if text := _clean(node.text()):
                yield f"- {text}" if tag == "li" else text
        else:
            yield from _items(node)


def _table(node: Any) -> Iterator[Block]:
    rows = [[_clean(c.text()) for c in row.css("th, td")] for row in node.css("tr")]
    lines = [f"| {' | '.join(cells)} |" for cells in rows if any(cells)]
    if lines:
        yield Table(header=lines[0], rows=tuple(lines[1:]))


def _clean(text: str | None) -> str:
    return _SPACES.sub(" ", text or "").strip()


def pdf(uri: str, content: bytes) -> Content:
    """The text layer, page by page. A page without one is noted; there is no OCR."""
    reader = _library(uri, "pypdf").PdfReader(io.BytesIO(content))
    if reader.is_encrypted:
        raise refused("cause.encrypted", uri)
    if len(reader.pages) > PAGES_MAX:
        raise refused("cause.pages", uri, pages=len(reader.pages), most=PAGES_MAX)
    items: list[Heading | Block] = []
    empty: list[str] = []
    for number, page in enumerate(reader.pages, 1):
        text = page.extract_text()
        if text.strip():
            items += [Heading(level=2, text=f"p. {number}"), *paragraphs(_WRAPPED.sub("", text))]
        else:
            empty.append(str(number))
    if not items:
        raise refused("cause.scanned", uri)
    return Content(title="", items=tuple(items), notes=tuple(_without_text(uri, empty)))


def _without_text(uri: str, pages: Sequence[str]) -> Iterator[Cause]:
    if pages:
        shown = ", ".join(pages[:PAGES_NAMED]) + (" …" if len(pages) > PAGES_NAMED else "")
        yield Cause(key="cause.pages_empty", file=uri, values=(("pages", shown),))


def docx(uri: str, content: bytes) -> Content:
    """A Word document by its headings, through HTML."""
    mammoth = _library(uri, "mammoth")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as packed:
            unpacked = sum(part.file_size for part in packed.infolist())
    except zipfile.BadZipFile as error:
        raise refused("cause.no_docx", uri) from error
    if unpacked > UNPACKED_MAX:
        raise refused("cause.unpacks", uri, size=unpacked // 2**20, most=UNPACKED_MAX // 2**20)
    page = html(uri, mammoth.convert_to_html(io.BytesIO(content)).value.encode())
    return Content(title="", items=page.items)


def _library(uri: str, name: str) -> ModuleType:
    """A library of the `files` extra. Raises KnowledgeError where it is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise refused("cause.library", uri) from error


READERS: dict[str, Callable[[str, bytes], Content]] = {
    ".html": html,
    ".htm": html,
    ".pdf": pdf,
    ".docx": docx,
}
