"""Code that is too long to be read in a chat, as documents beside the text; pure.

What V makes of an answer is then: its text with a line in the place of each such block, and the
blocks as files. History keeps the text whole.
"""

from __future__ import annotations

from collections.abc import Sequence

from bot.i18n import say
from bot.text.parser import blocks
from bot.text.width import utf16_len
from bot.types import File, value

CODE_MAX = 3_500
"""UTF-16 units of one block shown in a message: with marks and a line or two it fits Telegram's
4,096."""
_ENDINGS = {
    "bash": "sh", "c": "c", "c++": "cpp", "c#": "cs", "cpp": "cpp", "csharp": "cs", "css": "css",
    "go": "go", "golang": "go", "html": "html", "java": "java", "javascript": "js", "js": "js",
    "json": "json", "kotlin": "kt", "lua": "lua", "markdown": "md", "md": "md", "php": "php",
    "powershell": "ps1", "py": "py", "python": "py", "r": "r", "ruby": "rb", "rust": "rs",
    "scala": "scala", "sh": "sh", "shell": "sh", "sql": "sql", "swift": "swift", "toml": "toml",
    "ts": "ts", "typescript": "ts", "xml": "xml", "yaml": "yaml", "yml": "yml",
}  # fmt: skip


@value
class Paper:
    """A block of code as a file; it stands in the lines [first, end) of the text."""

    first: int
    end: int
    file: File


def papers(text: str) -> tuple[Paper, ...]:
    """The blocks that are too long, in order. The same text always gives the same."""
    if 2 * len(text) <= CODE_MAX:  # no need to parse it: a character has two units at most
        return ()
    found: list[Paper] = []
    for token in blocks(_lines(text)):
        if token.type != "fence" or token.level or not token.map:
            continue
        if utf16_len(token.content) > CODE_MAX:
            first, end = token.map
            name = _name(token.info, len(found) + 1)
            content = token.content.encode("utf-8", "replace")
            found.append(Paper(first=first, end=end, file=File(name=name, content=content)))
    return tuple(found)


def without(text: str, away: Sequence[Paper], locale: str) -> str:
    """The text with a line in the place of each block that stands elsewhere."""
    lines = _lines(text).split("\n")
    for paper in reversed(away):
        told = say(locale, "answer.as_file", name=paper.file.name)
        lines[paper.first : paper.end] = ["", told, ""]
    return "\n".join(lines).strip("\n") if away else text


def _name(info: str, number: int) -> str:
    language = info.split(maxsplit=1)[0].lower() if info.split() else ""
    return f"code{'' if number == 1 else f'-{number}'}.{_ENDINGS.get(language, 'txt')}"


def _lines(text: str) -> str:
    """The text with the line ends that the parser counts."""
    return text.replace("\r\n", "\n").replace("\r", "\n")
