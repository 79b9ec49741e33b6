"""Long code leaves the text as a file: what goes, under which name, and what stands instead."""

from __future__ import annotations

import pytest

from bot.i18n import LOCALES, say
from bot.reply.papers import CODE_MAX, papers, without


def fence(language: str, units: int) -> str:
    """A block whose content, with its last line end, is so many UTF-16 units."""
    return f"```{language}\n" + "x" * (units - 1) + "\n```"


@pytest.mark.parametrize("units", [CODE_MAX - 1, CODE_MAX])
def test_code_that_fits_a_message_stays(units: int) -> None:
    text = f"Here:\n\n{fence('py', units)}\n\nDone."
    assert papers(text) == ()
    assert without(text, papers(text), "en") is text


@pytest.mark.parametrize("locale", LOCALES)
def test_a_line_stands_for_each_file(locale: str) -> None:
    """In its place, with everything around it; the content byte for byte."""
    first, second = fence("python", CODE_MAX + 1), fence("", CODE_MAX + 9)
    text = f"Here:\n{first}\nand\n\n{fence('sh', 40)}\n- one\n{second}"
    found = papers(text)
    assert [paper.file.name for paper in found] == ["code.py", "code-2.txt"]
    assert [len(paper.file.content) for paper in found] == [CODE_MAX + 1, CODE_MAX + 9]
    lines = [say(locale, "answer.as_file", name=paper.file.name) for paper in found]
    shown = f"Here:\n\n{lines[0]}\n\nand\n\n{fence('sh', 40)}\n- one\n\n{lines[1]}"
    assert without(text, found, locale) == shown
    assert without(text, found[1:], locale) == text.replace(second, f"\n{lines[1]}")


def test_surrogate_pairs_count_twice_as_the_platform_counts_them() -> None:
    most = "💡" * (CODE_MAX // 2 - 1)
    assert papers(f"```\n{most}\n```") == ()
    assert papers(f"```\n{most}💡\n```")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_any_line_end_and_a_block_that_nothing_closes(end: str) -> None:
    code = "\n".join(f"line {n}" for n in range(900))
    text = f"Look:\n\n~~~js\n{code}".replace("\n", end)
    (paper,) = papers(text)
    assert (paper.file.name, paper.file.content.decode()) == ("code.js", code)
    assert without(text, (paper,), "en").startswith("Look:\n\n\nThe code")


def test_code_inside_a_list_or_a_quotation_belongs_there() -> None:
    long = "\n".join("  " + line for line in fence("py", CODE_MAX + 5).splitlines())
    assert papers(f"- item\n\n{long}") == ()
