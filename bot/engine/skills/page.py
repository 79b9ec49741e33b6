"""A skill's text as it streams: shown, checked for citations, or made a file; pure."""

from __future__ import annotations

import re
from collections.abc import Sequence

from bot.engine.citations import CitationFilter
from bot.types import Citation, File, Text, value

SHOWN_MAX = 3_500
"""UTF-16 units of code shown in a message: with marks and an intro it fits Telegram's 4,096."""
INTRO_MAX = 500
"""Characters of what the model says about its code that go with the file."""

_FENCE = re.compile(r"^```([\w+#.-]*)[^\n]*\n(.*?)(?:^```[ \t]*$|\Z)", re.MULTILINE | re.DOTALL)
_ENDINGS = {
    "bash": "sh", "c": "c", "c++": "cpp", "c#": "cs", "cpp": "cpp", "csharp": "cs", "css": "css",
    "go": "go", "golang": "go", "html": "html", "java": "java", "javascript": "js", "js": "js",
    "json": "json", "kotlin": "kt", "lua": "lua", "php": "php", "powershell": "ps1", "py": "py",
    "python": "py", "r": "r", "ruby": "rb", "rust": "rs", "scala": "scala", "sh": "sh",
    "shell": "sh", "sql": "sql", "swift": "swift", "toml": "toml", "ts": "ts",
    "typescript": "ts", "xml": "xml", "yaml": "yaml", "yml": "yml",
}  # fmt: skip


def units(text: str) -> int:
    """UTF-16 code units, as Telegram counts."""
    return len(text) + sum(char > "\uffff" for char in text)


@value
class Bundle:
    """Long code as it is handed over: a file, and what is said about it."""

    file: File
    intro: str


class Page:
    """Takes what the model says; gives what may be shown of it now.

    With `bundles`, text beyond SHOWN_MAX is held back: it will be a file.
    """

    def __init__(self, *, offered: Sequence[Citation] = (), bundles: bool = False) -> None:
        self._offered = tuple(offered)
        self._bundles = bundles
        self.restart()

    def restart(self) -> None:
        """The model begins anew."""
        self._filter = CitationFilter(self._offered)
        self.text = ""
        self._size = 0

    @property
    def cited(self) -> tuple[Citation, ...]:
        """What the text cites."""
        return self._filter.cited

    def grow(self, delta: str) -> Text | None:
        """What may be shown because of more text."""
        return self._shown(self._filter.feed(delta) if self._offered else delta)

    def rest(self) -> Text | None:
        """What was undecided at the end."""
        return self._shown(self._filter.flush())

    def bundle(self, name: str) -> Bundle | None:
        """The whole text as a file named `name` with the ending of its language, if it is long.

        One block of code is the file; several keep the words between them.
        """
        if not self._bundles or self._size <= SHOWN_MAX:
            return None
        blocks = list(_FENCE.finditer(self.text))
        if len(blocks) == 1:
            language = blocks[0].group(1).lower()
            ending, content = _ENDINGS.get(language, "txt"), blocks[0].group(2)
        else:
            ending, content = "md", self.text
        said = self.text[: blocks[0].start()].strip() if blocks else ""
        intro = said if len(said) <= INTRO_MAX else said[: INTRO_MAX - 1] + "…"
        return Bundle(file=File(name=f"{name}.{ending}", content=content.encode()), intro=intro)

    def _shown(self, text: str) -> Text | None:
        self.text += text
        self._size += units(text)
        over = self._bundles and self._size > SHOWN_MAX
        return Text(delta=text) if text and not over else None
