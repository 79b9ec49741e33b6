"""Whatever a model writes, rendering and cutting it takes time in proportion: no frame may freeze
the desk, in which all conversations share one thread.
"""

from __future__ import annotations

import time

import pytest

from adapters.slack.render import markdown as slack
from adapters.telegram.render import render as telegram
from bot.text.markdown import closed, render
from bot.text.split import split
from bot.text.width import utf16_len

SIZE = 4_000
SECONDS = 1.5
"""CPU; the worst takes a tenth of it, and what grows by the cube took minutes."""

MONSTERS = {
    "blanks": "a\n" + " " * SIZE + "x",
    "tabs": "a\n" + "\t" * SIZE + "x",
    "blanks in a fence": "```\n" + " " * SIZE + "x",
    "rules": "a\n" + "- " * (SIZE // 2) + "x",
    "equals": "a\n" + "= " * (SIZE // 2) + "x",
    "dots": "." * SIZE + "x" + "." * SIZE,
    "stars": "*" * SIZE + "x",
    "open stars": "*a " * (SIZE // 3),
    "low lines": "_" * SIZE + "a",
    "ticks": "".join("`" * (i % 90 + 1) + "a" for i in range(SIZE // 45)),
    "tildes": "~" * SIZE + "a",
    "brackets": "[" * SIZE,
    "links": "[a](" * (SIZE // 4),
    "pictures": "![" * (SIZE // 2),
    "quotes": "> " * (SIZE // 2) + "a",
    "list in list": "\n".join("  " * i + "- a" for i in range(60)),
    "table": "|a" * 1000 + "|\n" + "|-" * 1000 + "|\n" + "|b" * 1000 + "|\n",
    "bars": "|" * SIZE,
    "joiners": "👨\u200d" * (SIZE // 2),
    "accents": "e" + "\u0301" * SIZE,
    "flags": "🇨" * SIZE,
    "newlines": "a" + " \n" * (SIZE // 2) + "x",
    "closers": "a." + ")" * SIZE,
    "backslashes": "\\" * SIZE,
    "angles": "<" * SIZE,
    "address": "https://a.b/" + "a" * SIZE,
    "bold": "**加。" * (SIZE // 4),
}


@pytest.mark.parametrize("name", MONSTERS)
def test_no_text_is_dear_to_show(name: str) -> None:
    """Settled and open, with a mark after it, cut, and for both platforms."""
    source = MONSTERS[name]
    began = time.process_time()
    for text in (source, closed(source)):
        for final in (True, False):
            for part in split(render(text, final=final), 4096, utf16_len):
                telegram(part)
                slack(part)
    assert time.process_time() - began < SECONDS
