"""Long text to pieces of even length: by heading, then paragraph, then sentence.

Even lengths matter: the ranking buries a long row among short ones.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator

from bot.knowledge.terms import size
from bot.types import value

PIECE_SIZE = 480.0
"""The longest piece, in units of terms.size: about 480 CJK characters or 280 English words."""
PIECE_MAX = 1200
"""Characters no piece exceeds, whatever it is made of; heading path not counted."""

BELOW = " › "
"""Between a heading and the one under it, as a reader sees them."""

_SENTENCE = re.compile(r".+?(?:[。！？；]+[”’」』）]*|[.!?]+[\"')]*(?=\s|$)|\n|$)", re.DOTALL)
_PARAGRAPH = re.compile(r"\n\s*\n")


@value
class Table:
    """Rows of cells under one header, as written."""

    header: str
    rows: tuple[str, ...]


Block = str | Table


@value
class Section:
    """What stands under one heading, in order. `path` is the headings above it, outermost first."""

    path: tuple[str, ...]
    blocks: tuple[Block, ...]

    @property
    def title(self) -> str:
        """The heading path as a reader sees it."""
        return BELOW.join(self.path)


@value
class Heading:
    """A heading between blocks; level 1 is the outermost."""

    level: int
    text: str


def outline(items: Iterable[Heading | Block], title: str) -> Iterator[Section]:
    """Blocks gathered under their headings; `title` stands above those without a first one."""
    path: list[tuple[int, str]] = [(0, title)]
    blocks: list[Block] = []
    for item in items:
        if isinstance(item, Heading):
            yield Section(path=tuple(name for _, name in path), blocks=tuple(blocks))
            path = [above for above in path if above[0] < item.level]
            if item.level == 1:
                path.clear()
            path.append((item.level, item.text))
            blocks = []
        else:
            blocks.append(item)
    yield Section(path=tuple(name for _, name in path), blocks=tuple(blocks))


def paragraphs(text: str) -> tuple[str, ...]:
    """Plain text cut at empty lines."""
    return tuple(part.strip() for part in _PARAGRAPH.split(text) if part.strip())


def pieces(section: Section) -> list[str]:
    """The section as pieces of even size, in order; nothing is lost and nothing said twice.

    Table headers are repeated above each group of rows.
    """
    atoms = [atom for block in section.blocks for atom in _atoms(block)]
    whole = sum(size(atom) for atom in atoms)
    aim = whole / max(1, math.ceil(whole / PIECE_SIZE))
    return list(_packed(atoms, aim))


def _atoms(block: Block) -> Iterator[str]:
    if isinstance(block, Table):
        yield from _row_groups(block)
    elif size(block) <= PIECE_SIZE and len(block) <= PIECE_MAX:
        yield block
    else:
        yield from _sentences(block)


def _row_groups(table: Table) -> Iterator[str]:
    group: list[str] = []
    header = table.header[: PIECE_MAX // 2]
    room = PIECE_MAX - len(header) - 1
    rows = [cut for row in table.rows for cut in _cut(row, room)]
    for row in rows:
        if group and not _fits("\n".join((header, *group, row))):
            yield "\n".join((header, *group))
            group = []
        group.append(row)
    if group or header:
        yield "\n".join((header, *group))


def _fits(text: str) -> bool:
    return len(text) <= PIECE_MAX and size(text) <= PIECE_SIZE


def _sentences(text: str) -> Iterator[str]:
    for sentence in _SENTENCE.findall(text):
        if sentence.strip():
            yield from _cut(sentence.strip(), PIECE_MAX)


def _cut(text: str, most: int) -> Iterator[str]:
    for start in range(0, len(text), most):
        yield text[start : start + most]


def _packed(atoms: Iterable[str], aim: float) -> Iterator[str]:
    """Join neighbours until the aim is reached, never past the limits."""
    held: list[str] = []
    for atom in atoms:
        if held and (size("\n".join(held)) >= aim or not _fits("\n".join((*held, atom)))):
            yield "\n".join(held)
            held = []
        held.append(atom)
    if held:
        yield "\n".join(held)
