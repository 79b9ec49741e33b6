"""Why a file is refused, told to who sent it, in his language: every cause there is, provoked."""

from __future__ import annotations

import csv
import errno
import re
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path

import pytest

from bot.clock import SystemClock
from bot.engine.knowledge_words import KnowledgeWords
from bot.engine.sent import Fetch
from bot.errors import BotError, Cause, KnowledgeError, PlatformRefused
from bot.i18n import LOCALES, catalogue
from bot.knowledge import causes, files, loaders, sandbox
from bot.knowledge.base import KnowledgeBase
from bot.knowledge.cases import cases, load_cases
from bot.knowledge.spool import Spool
from bot.types import Attachment, Audit, Done, Place, Say
from storage.passages import PassageStore
from tests.fakes.inline_database import InlineDatabase
from tests.flow.spoken import spoken
from tests.flow.test_knowledge_bad_files import NEEDED, locked_pdf
from tests.flow.test_knowledge_files import here, parsed_of, pdf_of, word
from tests.flow.test_knowledge_words import call

PLACES = {"cause.in_file", "cause.in_line", "cause.at_line", "cause.other"}
LATIN = {"PDF", "UTF", "GB", "OCR", "Word", "JSON", "docx", "FAQ", "MB", "pip", "install", "rel"}
LATIN |= {"frontdesk", "files", "kind", "text", "near", "far", "question", "questions", "answer"}
LATIN |= {"answers", "in"}
"""Words that a Chinese sentence may have: names, and what is written just so."""

SENT: dict[str, tuple[str, bytes]] = {
    "cause.unknown_kind": ("a.exe", b"x"),
    "cause.too_large": ("a.md", b"x" * 5000),
    "cause.no_text": ("a.md", b"  \n"),
    "cause.no_rows": ("a.csv", b"question,answer\n\n"),
    "cause.encoding": ("a.txt", bytes(range(128, 256)) * 9),
    "cause.binary": ("a.txt", b"a\0b"),
    "cause.encrypted": ("a.pdf", b""),
    "cause.scanned": ("a.pdf", pdf_of("", "")),
    "cause.pages": ("a.pdf", pdf_of("one", "two", "three")),
    "cause.pages_empty": ("a.pdf", pdf_of("words", "")),
    "cause.damaged": ("a.pdf", b"%PDF-1.4 nothing more"),
    "cause.no_docx": ("a.docx", b"no zip"),
    "cause.unpacks": ("a.docx", word()),
    "cause.library": ("a.html", b"<p>x"),
    "cause.no_column": ("a.csv", b"question,text\n1,2\n"),
    "cause.many_columns": ("a.csv", b"question,question,answer\n1,2,3\n"),
    "cause.cells": ("a.csv", b"question,answer\nA,B,C\n"),
    "cause.cell_long": ("a.csv", b"question,answer\nA," + b"B" * 140_000 + b"\n"),
    "cause.quotes": ("a.csv", b'question,answer\nA,"B\n'),
    "cause.empty": ("a.csv", b"question,answer\nA,\n"),
    "cause.long": ("a.csv", b"question,answer\nA," + b"B" * 30_000 + b"\n"),
    "cause.not_json": ("a.jsonl", b"{oops\n"),
    "cause.not_texts": ("a.jsonl", b'["a"]\n'),
    "cause.twice": ("a.jsonl", b'{"question": "A", "title": "B", "answer": "C"}\n'),
}
"""By cause a file that is sent in a chat and refused for it."""


async def _not_fetched() -> str:
    async def fetch(place: Place, attachment: Attachment, /, *, most: int = 0) -> bytes:
        raise PlatformRefused("gone")

    return await _said("a.csv", fetch)


async def _killed() -> None:
    sandbox._heard("a.pdf", -9, b"", b"")


async def _slow() -> None:
    await parsed_of("a.md", b"# A\n\nword " * 200_000, seconds=0.05)


async def _greedy() -> None:
    sandbox._heard("a.pdf", 1, b"", b"Traceback ...\nMemoryError")


def _read(error: OSError) -> Callable[[Path], Awaitable[None]]:
    async def read(_: Path) -> None:
        raise causes.unread("a.md", error)

    return read


async def _no_folder(kb: KnowledgeBase) -> None:
    await kb.import_folder("/nowhere")


async def _nothing_earlier(kb: KnowledgeBase) -> None:
    await kb.entries.rollback(by="me")


async def _not_kept(kb: KnowledgeBase) -> None:
    await kb.entries.rollback(7, by="me")


async def _said(name: str, fetch: Fetch, *, kb: KnowledgeBase | None = None) -> str:
    """What an admin who writes Chinese is told of a file."""
    async with spoken() as desk:
        words = KnowledgeWords(kb or desk.desk.knowledge, desk.clock, fetch=fetch)
        file = Attachment(kind="document", id="1", name=name)
        asked = replace(call("import", file), locale="zh")
        events = [event async for event in words.command().run(asked)]
        assert isinstance(events[0], Say)
        return events[0].text


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Limits that a test can reach, and a library that is not there."""
    monkeypatch.setattr(files, "UNPACKED_MAX", 500)
    monkeypatch.setattr(files, "PAGES_MAX", 2)
    monkeypatch.setattr(sandbox, "_in_child", _without_child)
    monkeypatch.setattr(files, "READERS", files.READERS | {".html": _no_reader})


def _no_reader(uri: str, _content: bytes) -> files.Content:
    files._library(uri, "no_such_library")
    raise AssertionError


async def _without_child(uri: str, content: bytes, spool: Spool, **_: float) -> tuple[Cause, ...]:
    """The same without a process, which would read the limits of the house."""
    try:
        return sandbox._here(uri, content, spool)
    except (KnowledgeError, AssertionError):
        raise
    except Exception as error:
        sandbox._heard(uri, 1, b"", str(error).encode())
        raise


def chinese(text: str) -> bool:
    """Nothing in it is left in English."""
    words = set(re.findall(r"[A-Za-z]{2,}", re.sub(r"\.[a-z]+|`[^`]*`", "", text)))
    return bool(re.search("[一-鿿]", text)) and words <= LATIN


@pytest.mark.usefixtures("small")
@pytest.mark.skipif(not all(map(here, NEEDED)), reason="the extra `files` is not installed")
@pytest.mark.parametrize("key", sorted(SENT))
async def test_who_sends_a_file_is_told_in_chinese_why_it_is_refused(key: str) -> None:
    name, content = SENT[key]
    content = locked_pdf() if key == "cause.encrypted" else content

    async def fetch(place: Place, attachment: Attachment, /, *, most: int = 0) -> bytes:
        return content

    database = InlineDatabase.open()
    limit = 4000 if key == "cause.too_large" else 1 << 20
    kb = KnowledgeBase(PassageStore(database), SystemClock(), file_max=limit)
    text = await _said(name, fetch, kb=kb)
    await database.close()
    sentence = catalogue("zh")[key]
    assert all(part in text for part in re.split(r"\{\w+\}", sentence)), text
    assert name in text
    assert "sent/" not in text
    assert chinese(text), text


ELSEWHERE: dict[str, Callable[[KnowledgeBase, Path], Awaitable[object]]] = {
    "cause.slow": lambda _kb, _folder: _slow(),
    "cause.heavy": lambda _kb, _folder: _killed(),
    "cause.memory": lambda _kb, _folder: _greedy(),
    "cause.no_folder": lambda kb, _folder: _no_folder(kb),
    "cause.gone": lambda kb, folder: kb.import_file(folder / "a.md"),
    "cause.forbidden": lambda _kb, folder: _read(PermissionError(errno.EACCES, "no"))(folder),
    "cause.unreadable": lambda _kb, folder: _read(OSError(errno.EIO, "坏盘"))(folder),
    "cause.no_earlier": lambda kb, _folder: _nothing_earlier(kb),
    "cause.not_kept": lambda kb, _folder: _not_kept(kb),
}
"""Those that no file sent in a chat leads to at once."""


async def _cause_of(trying: Awaitable[object]) -> KnowledgeError:
    with pytest.raises(KnowledgeError) as caught:
        await trying
    return caught.value


@pytest.mark.parametrize("key", sorted(ELSEWHERE))
async def test_what_fails_elsewhere_is_told_in_the_readers_language_too(
    key: str, tmp_path: Path
) -> None:
    database = InlineDatabase.open()
    kb = KnowledgeBase(PassageStore(database), SystemClock())
    error = await _cause_of(ELSEWHERE[key](kb, tmp_path))
    await database.close()
    assert error.cause is not None
    assert error.cause.key == key
    assert str(error) == causes.why(error, LOCALES[0])
    assert chinese(causes.why(error, "zh").replace(str(tmp_path), "").replace("/nowhere", ""))


def test_a_test_set_with_a_mistake_is_told_by_its_line(tmp_path: Path) -> None:
    with pytest.raises(KnowledgeError) as caught:
        cases("mine.jsonl", '{"text": "A", "rel": ["a"]}\n{"text": "B", "kind": "middle"}\n')
    place, colon, why = causes.why(caught.value, "zh").partition("：")
    assert place + colon == "mine.jsonl 第 2 行："
    assert chinese(why)
    (tmp_path / "odd.jsonl").write_bytes('{"text": "灯"}'.encode("gb18030"))
    with pytest.raises(KnowledgeError) as caught:
        load_cases(tmp_path / "odd.jsonl")
    assert causes.why(caught.value, "zh") == "odd.jsonl：编码不是 UTF-8；请另存为 UTF-8"
    (tmp_path / "odd.jsonl").write_text("\n")
    with pytest.raises(KnowledgeError) as caught:
        load_cases(tmp_path / "odd.jsonl")
    assert causes.why(caught.value, "zh") == "odd.jsonl：文件里没有问题"


@pytest.mark.parametrize("line", ['{"text": "A"}', '{"text": "A", "kind": "in", "rel": []}'])
def test_an_answerable_question_names_what_answers_it(line: str) -> None:
    with pytest.raises(KnowledgeError) as caught:
        cases("", line)
    told = causes.why(caught.value, "zh")
    assert told == '第 1 行：kind 为 "in" 的问题须有 "rel"：能回答它的条目编号'
    assert causes.why(caught.value, "en").startswith("line 1: ")
    with pytest.raises(KnowledgeError):
        cases("", '{"text": " ", "kind": "far"}')


async def test_a_file_that_the_platform_does_not_give_is_named() -> None:
    assert await _not_fetched() == "未能导入：a.csv：没能取到这个文件，请重新发送"


def test_every_cause_of_the_catalogue_is_walked_here() -> None:
    known = {key for key in catalogue("en") if key.startswith("cause.")}
    columns = {f"cause.column_{name}" for name in loaders._COLUMNS}
    tested = {"cause.not_case", "cause.not_utf8", "cause.not_fetched", "cause.no_rel"}
    tested |= {"cause.name_twice", "cause.too_many"}  # in test_knowledge_albums
    tested |= {"cause.no_cases", "cause.cases_many", "cause.cases_slow"}  # the last two on a page
    assert known == SENT.keys() | ELSEWHERE.keys() | PLACES | columns | tested
    assert csv.field_size_limit() < 140_000


async def test_an_error_without_a_cause_is_told_as_it_is() -> None:
    assert causes.why(KnowledgeError("as it is"), "zh") == "as it is"
    assert isinstance(KnowledgeError(), BotError)


async def test_a_broken_file_holds_up_none_that_was_sent_with_it() -> None:
    given = {"1": b"question,answer\nA b?,C\n", "2": b"question,answer\nA,\n"}

    async def fetch(place: Place, attachment: Attachment, /, *, most: int = 0) -> bytes:
        return given[attachment.id]

    async with spoken() as desk:
        words = KnowledgeWords(desk.desk.knowledge, desk.clock, fetch=fetch)
        sent = [Attachment(kind="document", id=one, name=f"{one}.csv") for one in ("2", "1")]
        events = [event async for event in words.command().run(call("import", *sent))]
        assert isinstance(events[0], Say)
        assert events[0].text.splitlines()[1:] == [
            "Not taken in: 2.csv, line 2: the answer is empty",
            "Taken in: 1.csv (1 added, 0 changed, 0 removed)",
        ]
        assert [one.source for one in await desk.desk.knowledge.entries.all()] == ["sent/1.csv"]
        assert isinstance(events[-1], Done)
        [audit] = events[-1].changes
        assert isinstance(audit, Audit)
        assert audit.detail == ".csv"
