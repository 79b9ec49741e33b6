"""A folder with files nobody can read: each says why, and the rest is taken in."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from bot.clock import SystemClock
from bot.knowledge.base import KnowledgeBase
from bot.knowledge.causes import told
from storage.passages import PassageStore
from tests.fakes.inline_database import InlineDatabase
from tests.flow.test_knowledge_files import here, pdf_of, word

NEEDED = ("selectolax", "pypdf", "mammoth")


def locked_pdf() -> bytes:
    """A PDF that opens with a password only."""
    from pypdf import PdfReader, PdfWriter

    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(pdf_of("Secret"))))
    writer.encrypt("word", algorithm="RC4-128")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def spill(folder: Path) -> None:
    """One good file beside every kind of bad one."""
    (folder / "faq.csv").write_text("question,answer\nHow do I return a lamp?,In 30 days.\n")
    (folder / "locked.pdf").write_bytes(locked_pdf())
    (folder / "scan.pdf").write_bytes(pdf_of("", ""))
    (folder / "bomb.docx").write_bytes(word("<w>" + "0" * 201 * 2**20))
    (folder / "odd.txt").write_bytes(bytes(range(128, 256)) * 9)
    (folder / "heads.csv").write_text("question,answer,答案\nA,B,C\n")
    (folder / "torn.pdf").write_bytes(b"%PDF-1.4 nothing more")
    (folder / "gb.csv").write_bytes("问题,答案\n可以刻字吗？,可以。\n".encode("gb18030"))
    with (folder / "huge.md").open("wb") as huge:
        huge.truncate(200 * 2**20)
    (folder / "page.html").write_text(
        "<h1>Care</h1><p>Dust it weekly.</p><script>fetch('//evil')</script>"
        '<p onclick="steal()">Never wash it.</p><style>p{}</style><iframe src="//evil"></iframe>'
    )


@pytest.mark.skipif(not all(map(here, NEEDED)), reason="the extra `files` is not installed")
async def test_each_bad_file_says_why_and_the_rest_is_taken_in(tmp_path: Path) -> None:
    spill(tmp_path)
    database = InlineDatabase.open()
    kb = KnowledgeBase(PassageStore(database), SystemClock())
    report = await kb.import_folder(tmp_path)
    why = {cause.file: told(cause, "en") for cause in report.failed}
    bad = ["bomb.docx", "heads.csv", "huge.md", "locked.pdf", "odd.txt", "scan.pdf", "torn.pdf"]
    assert sorted(why) == bad
    assert len({cause.key for cause in report.failed}) == len(bad), "each its own message"
    assert "neither UTF-8 nor GB18030" in why["odd.txt"]
    assert "line 1: more than one column is the answer" in why["heads.csv"]
    assert "damaged" in why["torn.pdf"]
    assert "encrypted" in why["locked.pdf"]
    assert "scanned" in why["scan.pdf"]
    assert "unpacks to 201 MB" in why["bomb.docx"]
    assert "200 MB; files over 20 MB" in why["huge.md"]
    found = await kb.search("How do I return a lamp?", locale="en")
    assert found.direct
    assert (await kb.search("可以刻字吗", locale="zh")).direct
    stored = str([await kb.entries.show(entry.uid) for entry in await kb.entries.all("page.html")])
    assert "Dust it weekly" in stored
    assert not any(word in stored for word in ("evil", "steal", "p{}"))
    await database.close()
