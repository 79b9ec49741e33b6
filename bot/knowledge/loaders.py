"""Files to entries: documents by their headings, FAQs from CSV or JSONL.

A loader reads bytes and answers with drafts, or raises KnowledgeError that names file, place and
cause; it never returns half a file.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

import msgspec

from bot.errors import Cause, KnowledgeError
from bot.knowledge import drafts, files
from bot.knowledge.causes import refused
from bot.knowledge.chunk import Block, Heading, Section, Table, outline, paragraphs
from bot.knowledge.port import EntryDraft
from bot.knowledge.terms import TERMS_VERSION, fold, worded
from bot.types import value

if TYPE_CHECKING:
    from markdown_it import MarkdownIt
    from markdown_it.token import Token

PARSER = f"1.{TERMS_VERSION}"
"""Stored with each file; another number means it is read anew though its bytes are the same."""
FIELD_MAX = 20_000
"""Characters of one FAQ cell: beyond this it is a document in the wrong column."""

_COLUMNS = {
    "question": ("question", "questions", "q", "title", "问题", "問題", "标题", "提问"),
    "answer": ("answer", "answers", "a", "reply", "答案", "回答", "答复"),
    "alias": ("alias", "aliases", "similar", "variants", "相似问", "相似问题", "同义问", "别名"),
    "url": ("url", "link", "source", "链接", "来源"),
    "locale": ("locale", "lang", "language", "语言"),
    "id": ("id", "编号"),
}
_NAMES = {name: column for column, names in _COLUMNS.items() for name in names}
_LOCALE_IN_NAME = re.compile(r"[._-](zh|en)(?:[-_](?:cn|tw|hk|us|gb))?$", re.IGNORECASE)
_ALIAS_BREAK = re.compile(r"[|｜\n]")
_ENCODINGS = ["gb18030", "big5", "utf_16", "cp1252"]


@value
class Parsed:
    """What a file gave. `notes` say what of it could not be read."""

    drafts: tuple[EntryDraft, ...]
    notes: tuple[Cause, ...] = ()


def load(uri: str, content: bytes) -> Parsed:
    """The entries of a file, by the ending of its name. `uri` names it in every uid."""
    ending = PurePosixPath(uri).suffix.lower()
    if ending in files.READERS:
        found = files.READERS[ending](uri, content)
        made = documents(uri, found.items, title=found.title, locale=locale_of(uri))
        return Parsed(drafts=_some(uri, made), notes=found.notes)
    if ending not in LOADERS:
        raise refused("cause.unknown_kind", uri, known=" ".join(sorted(KNOWN)))
    return Parsed(drafts=_some(uri, LOADERS[ending](uri, decode(uri, content))))


def _some(uri: str, found: Sequence[EntryDraft]) -> tuple[EntryDraft, ...]:
    if not found:
        raise refused("cause.no_text", uri)
    return tuple(_distinct(found))


def decode(uri: str, content: bytes) -> str:
    """Bytes to text: UTF-8, UTF-16 with a mark, else what the bytes look like (GB18030, Big5)."""
    try:
        text = content.decode(
            "utf-16" if content[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
        )
    except UnicodeDecodeError:
        import charset_normalizer  # 3 MB that a desk whose files are UTF-8 never needs

        guess = charset_normalizer.from_bytes(content, cp_isolation=_ENCODINGS).best()
        if guess is None:
            binary = b"\x00" in content
            raise refused("cause.binary" if binary else "cause.encoding", uri) from None
        text = str(guess)
    if "\x00" in text:
        raise refused("cause.binary", uri)
    return text.replace("\r\n", "\n").replace("\r", "\n")


def locale_of(uri: str) -> str:
    """The language a file's name tells (`faq.zh.csv`), or empty."""
    found = _LOCALE_IN_NAME.search(PurePosixPath(uri).stem)
    return found[1].lower() if found else ""


# --- FAQs --------------------------------------------------------------------------------------


def csv_faq(uri: str, text: str) -> list[EntryDraft]:
    """One FAQ a line under a header; aliases parted by | or line breaks."""
    lines = csv.reader(io.StringIO(text), delimiter=_delimiter(text), strict=True)
    try:
        header = next((row for row in lines if any(map(str.strip, row))), None)
        if header is None:
            return []
        columns = _columns(uri, lines.line_num, header)
        rows = (_csv_row(uri, lines.line_num, columns, row) for row in lines)
        made = [draft for draft in rows if draft is not None]
    except csv.Error as error:
        raise _torn(uri, lines.line_num, error) from error
    if not made:
        raise refused("cause.no_rows", uri)
    return made


def _torn(uri: str, line: int, error: csv.Error) -> KnowledgeError:
    """What the csv module means by its words."""
    if "field limit" in str(error):
        return refused("cause.cell_long", uri, line=line, most=csv.field_size_limit())
    return refused("cause.quotes", uri, line=line)


def _delimiter(text: str) -> str:
    head = text.lstrip().partition("\n")[0]
    return max(",\t;", key=head.count)


def _columns(uri: str, line: int, header: Sequence[str]) -> list[str]:
    """What each column holds; empty for one that is not ours."""
    columns = [_NAMES.get(fold(name).strip().rstrip("0123456789 "), "") for name in header]
    for needed in ("question", "answer"):
        if needed not in columns:
            names = f"{needed} / {next(n for n in _COLUMNS[needed] if not n.isascii())}"
            raise refused("cause.no_column", uri, line=line, column=needed, names=names)
    for once in ("question", "answer", "url", "locale", "id"):
        if columns.count(once) > 1:
            raise refused("cause.many_columns", uri, line=line, column=once)
    return columns


def _csv_row(uri: str, line: int, columns: Sequence[str], row: Sequence[str]) -> EntryDraft | None:
    if not any(cell.strip() for cell in row):
        return None
    if len(row) > len(columns):
        raise refused("cause.cells", uri, line=line, found=len(row), wanted=len(columns))
    fields: dict[str, list[str]] = {}
    for column, cell in zip(columns, row, strict=False):
        if column and cell.strip():
            fields.setdefault(column, []).append(cell.strip())
    return _faq(uri, line, fields)


def jsonl_faq(uri: str, text: str) -> list[EntryDraft]:
    """One JSON object a line; a given id is kept, aliases may be a list."""
    return [
        _faq(uri, number, _json_fields(uri, number, line))
        for number, line in enumerate(text.split("\n"), 1)
        if line.strip()
    ]


def _json_fields(uri: str, number: int, line: str) -> dict[str, list[str]]:
    try:
        row = msgspec.json.decode(line, type=dict[str, str | int | float | list[str] | None])
    except msgspec.ValidationError as error:
        raise refused("cause.not_texts", uri, line=number) from error
    except msgspec.DecodeError as error:
        raise refused("cause.not_json", uri, line=number) from error
    fields: dict[str, list[str]] = {}
    for name, cell in row.items():
        column = _NAMES.get(fold(name).strip(), "")
        cells = cell if isinstance(cell, list) else [] if cell is None else [str(cell)]
        if column in fields:
            raise refused("cause.twice", uri, line=number, column=column)
        if column and any(part.strip() for part in cells):
            fields[column] = [part.strip() for part in cells if part.strip()]
    return fields


def _faq(uri: str, line: int, fields: dict[str, list[str]]) -> EntryDraft:
    for needed in ("question", "answer"):
        cell = "\n".join(fields.get(needed, ()))
        if not worded(cell):
            raise refused("cause.empty", uri, line=line, column=needed)
        if len(cell) > FIELD_MAX:
            raise refused("cause.long", uri, line=line, column=needed, most=FIELD_MAX)
    aliases = [part for cell in fields.get("alias", ()) for part in _ALIAS_BREAK.split(cell)]
    return drafts.faq(
        source=uri,
        question="\n".join(fields["question"]),
        answer="\n".join(fields["answer"]),
        aliases=[part.strip() for part in aliases if part.strip()],
        uid="".join(fields.get("id", ())),
        url="".join(fields.get("url", ())),
        locale="".join(fields.get("locale", ())).lower()[:2] or locale_of(uri),
    )


# --- documents ---------------------------------------------------------------------------------


def plain(uri: str, text: str) -> list[EntryDraft]:
    """Plain text is one section under the file's name."""
    part = Section(path=(PurePosixPath(uri).stem,), blocks=paragraphs(text))
    made = drafts.section(uri, part, uid=uri, locale=locale_of(uri))
    return [made] if made else []


_NO_WORD = re.compile(r"\W+")
_FRONT = re.compile(r"\A---\n(.*?)\n---\n", re.DOTALL)


@cache
def _markdown_parser() -> MarkdownIt:
    from markdown_it import MarkdownIt  # a child that reads a table of FAQs does not pay for it

    return MarkdownIt("commonmark").enable("table")


def markdown(uri: str, text: str) -> list[EntryDraft]:
    """One entry per heading. Front matter may give title, url and locale."""
    facts: dict[str, str] = {}
    if front := _FRONT.match(text):
        pairs = (line.partition(":") for line in front[1].split("\n"))
        facts = {fold(key).strip(): rest.strip().strip("\"'") for key, _, rest in pairs}
        text = "\n" * front[0].count("\n") + text[front.end() :]
    locale = facts.get("locale", facts.get("lang", ""))[:2] or locale_of(uri)
    return documents(
        uri,
        _markdown_items(text),
        title=facts.get("title", ""),
        url=facts.get("url", ""),
        locale=locale,
    )


def documents(
    uri: str, items: Iterable[Heading | Block], *, title: str = "", url: str = "", locale: str = ""
) -> list[EntryDraft]:
    """Headings and blocks as one entry per section that says something."""
    made = (
        drafts.section(uri, part, uid=_section_uid(uri, part), url=url, locale=locale)
        for part in outline(items, title or PurePosixPath(uri).stem)
    )
    return [draft for draft in made if draft is not None]


def _section_uid(uri: str, part: Section) -> str:
    return f"{uri}#{'/'.join(_NO_WORD.sub('-', fold(name)).strip('-') for name in part.path)}"


def _markdown_items(text: str) -> Iterator[Heading | Block]:
    lines = text.split("\n")
    tokens = _markdown_parser().parse(text)
    for place, token in enumerate(tokens):
        if token.level or token.map is None:
            continue
        if token.type == "heading_open":
            yield Heading(level=int(token.tag[1]), text=tokens[place + 1].content)
        elif token.type != "html_block":
            yield _block(token, lines)


def _block(token: Token, lines: Sequence[str]) -> Block:
    first, last = token.map or (0, 0)
    source = [line for line in lines[first:last] if line.strip()]
    if token.type == "table_open" and len(source) > 2:
        return Table(header="\n".join(source[:2]), rows=tuple(source[2:]))
    return "\n".join(source)


def _distinct(found: Sequence[EntryDraft]) -> list[EntryDraft]:
    """The same entries, later ones of the same uid numbered."""
    seen: dict[str, int] = {}
    renamed = []
    for draft in found:
        seen[draft.uid] = count = seen.get(draft.uid, 0) + 1
        renamed.append(
            draft if count == 1 else msgspec.structs.replace(draft, uid=f"{draft.uid}-{count}")
        )
    return renamed


Loader = Callable[[str, str], list[EntryDraft]]
LOADERS: dict[str, Loader] = {
    ".md": markdown,
    ".markdown": markdown,
    ".txt": plain,
    ".csv": csv_faq,
    ".tsv": csv_faq,
    ".jsonl": jsonl_faq,
}
KNOWN = frozenset(LOADERS) | frozenset(files.READERS)
"""Endings of file names that can be imported."""
