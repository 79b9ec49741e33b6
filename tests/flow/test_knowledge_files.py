"""Files that need a library, or mean harm: read in a child with limits, or refused by cause.

The libraries are an extra; where one is absent its format is tested for the message instead.
"""

from __future__ import annotations

import importlib.util
import io
import zipfile
from pathlib import Path

import pytest

from bot.errors import KnowledgeError
from bot.knowledge import files, sandbox
from bot.knowledge.causes import told
from bot.knowledge.loaders import Parsed
from bot.knowledge.spool import BATCH, Spool

HTML = """<html><head><title>Guide</title><script>alert(1)</script></head><body><nav>Menu</nav>
<h1>Guide</h1><p>Hello <b>there</b>,<br>you.</p><h2>Returns</h2>
<ul><li>Pack it</li><li>Send it</li></ul>
<table><tr><th>Item</th><th>Days</th></tr><tr><td>Lamp</td><td>30</td></tr></table>
<script>steal()</script><footer>Imprint</footer></body></html>"""

WORD = """<?xml version="1.0" encoding="UTF-8"?>
<w:document xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"><w:body>
<w:p><w:pPr><w:pStyle w:val="Heading1"/></w:pPr><w:r><w:t>Returns</w:t></w:r></w:p>
<w:p><w:r><w:t>Send it back in 30 days.</w:t></w:r></w:p></w:body></w:document>"""
STYLES = """<?xml version="1.0" encoding="UTF-8"?>
<w:styles xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main">
<w:style w:type="paragraph" w:styleId="Heading1"><w:name w:val="heading 1"/></w:style></w:styles>"""
TYPES = """<?xml version="1.0" encoding="UTF-8"?>
<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">
<Default Extension="xml" ContentType="application/xml"/></Types>"""
RELATIONS = """<?xml version="1.0" encoding="UTF-8"?>
<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">
<Relationship Id="r1" Target="word/document.xml" Type="http://schemas.openxmlformats.org/\
officeDocument/2006/relationships/officeDocument"/></Relationships>"""
INNER = RELATIONS.replace("word/document.xml", "styles.xml").replace('/officeDocument"', '/styles"')


def here(library: str) -> bool:
    return importlib.util.find_spec(library) is not None


async def parsed_of(
    uri: str, content: bytes, *, seconds: float = sandbox.SECONDS, memory: int = sandbox.MEMORY
) -> Parsed:
    """What the file gives, read as an import reads it."""
    with Spool() as spool:
        read = await sandbox.parse(uri, content, spool, seconds=seconds, memory=memory)
        drafts = [draft for batch in spool.batches(read.begin, read.end) for draft in batch]
        return Parsed(drafts=tuple(drafts), notes=read.notes)


async def parse_or_need(uri: str, content: bytes, library: str) -> Parsed | None:
    """What the file gives; None, after the message is checked, where the library is absent."""
    if here(library):
        return await parsed_of(uri, content)
    with pytest.raises(KnowledgeError, match=rf"{uri}: .*frontdesk\[files\]"):
        await parsed_of(uri, content)
    return None


async def refused(uri: str, content: bytes, library: str, why: str) -> None:
    why = why if here(library) else r"frontdesk\[files\]"
    with pytest.raises(KnowledgeError, match=rf"{uri}: .*{why}"):
        await parsed_of(uri, content)


def pdf_of(*pages: str) -> bytes:
    """A PDF written by hand: one line of text a page, or none."""
    objects = ["<< /Type /Catalog /Pages 2 0 R >>", ""]
    kids = []
    for text in pages:
        stream = f"BT /F1 12 Tf 72 700 Td ({text}) Tj ET" if text else ""
        kids.append(f"{len(objects) + 1} 0 R")
        objects.append(
            "<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] "
            f"/Contents {len(objects) + 2} 0 R /Resources << /Font << /F1 "
            "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >> >>"
        )
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
    objects[1] = f"<< /Type /Pages /Kids [{' '.join(kids)}] /Count {len(kids)} >>"
    out = io.BytesIO(b"%PDF-1.4\n")
    out.seek(0, io.SEEK_END)
    places = []
    for number, body in enumerate(objects, 1):
        places.append(out.tell())
        out.write(f"{number} 0 obj\n{body}\nendobj\n".encode())
    table = out.tell()
    rows = "".join(f"{place:010} 00000 n \n" for place in places)
    size = len(objects) + 1
    out.write(f"xref\n0 {size}\n0000000000 65535 f \n{rows}".encode())
    out.write(f"trailer << /Size {size} /Root 1 0 R >>\nstartxref\n{table}\n%%EOF\n".encode())
    return out.getvalue()


def word(document: str = WORD) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("[Content_Types].xml", TYPES)
        archive.writestr("_rels/.rels", RELATIONS)
        archive.writestr("word/_rels/document.xml.rels", INNER)
        archive.writestr("word/document.xml", document)
        archive.writestr("word/styles.xml", STYLES)
    return packed.getvalue()


async def test_a_page_is_read_by_headings_without_scripts_and_menus() -> None:
    parsed = await parse_or_need("guide.html", HTML.encode(), "selectolax")
    if parsed is not None:
        said = {draft.title: draft.texts[0].text for draft in parsed.drafts}
        assert said["Guide"] == "Hello there, you."
        assert said["Guide › Returns"].startswith(
            "- Pack it\n- Send it\n| Item | Days |\n| Lamp | 30 |"
        )
        assert not any(word in str(said) for word in ("alert", "steal", "Menu", "Imprint"))


async def test_a_pdf_keeps_its_pages_and_notes_the_empty_ones() -> None:
    parsed = await parse_or_need("a.pdf", pdf_of("Return it in 30 days", "", "Call us"), "pypdf")
    if parsed is not None:
        assert [draft.title for draft in parsed.drafts] == ["a › p. 1", "a › p. 3"]
        assert [told(note, "en") for note in parsed.notes] == ["a.pdf: no text on page 2"]


async def test_a_word_document_is_read_by_its_headings() -> None:
    parsed = await parse_or_need("a.docx", word(), "mammoth")
    if parsed is not None and here("selectolax"):
        (draft,) = parsed.drafts
        assert (draft.title, draft.texts[0].text) == ("Returns", "Send it back in 30 days.")


async def test_files_that_cannot_be_read_say_why() -> None:
    await refused("scan.pdf", pdf_of("", ""), "pypdf", "scanned")
    await refused("torn.pdf", b"%PDF-1.4 nothing more", "pypdf", "damaged")
    await refused("a.docx", b"no zip", "mammoth", "no Word document")


async def test_a_bomb_is_refused_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "UNPACKED_MAX", 1000)
    if here("mammoth"):
        with pytest.raises(KnowledgeError, match=r"bomb\.docx: it unpacks to .* refused"):
            files.docx("bomb.docx", word("x" * 100_000))
    else:
        with pytest.raises(KnowledgeError, match="files"):
            files.docx("bomb.docx", word("x" * 100_000))


async def test_a_large_text_is_read_in_the_child_as_here() -> None:
    text = "# A\n\n" + "Plain words here. " * 30_000
    assert len(text) > sandbox.TRUSTED_MAX
    parsed = await parsed_of("a.md", text.encode())
    assert sum(draft.title == "A" for draft in parsed.drafts) == 1


async def test_a_child_that_takes_too_long_is_ended() -> None:
    with pytest.raises(KnowledgeError, match=r"a\.md: reading it took over 0\.05 s"):
        await parsed_of("a.md", b"# A\n\nword " * 200_000, seconds=0.05)


async def test_a_child_that_takes_too_much_memory_is_refused() -> None:
    with pytest.raises(KnowledgeError, match=r"a\.md: "):
        await parsed_of("a.md", b"# A\n\nword word\n\n" * 400_000, memory=150 * 2**20)


async def test_a_refused_file_leaves_nothing_between_those_that_are_read() -> None:
    rows = b"question,answer\n" + b"A b?,%b\n" % (b"C" * 300) * 4 * BATCH + b"D,\n"
    assert len(rows) > sandbox.TRUSTED_MAX
    with Spool() as spool:
        first = await sandbox.parse("a.txt", b"one", spool)
        with pytest.raises(KnowledgeError, match="the answer is empty"):
            await sandbox.parse("b.csv", rows, spool)
        second = await sandbox.parse("c.md", b"# C\n\n" + b"word word. " * 48_000, spool)
        assert second.begin == first.end
        titles = [d.title for b in spool.batches(first.begin, second.end) for d in b]
    assert titles == ["a", "C"]


async def test_an_error_of_the_child_is_the_files_own(tmp_path: Path) -> None:
    rows = "question,answer\n" + f"A b?,{'C' * 300}\n" * 2000 + "D,\n"
    with pytest.raises(KnowledgeError, match=r"big\.csv, line 2002: the answer is empty"):
        await parsed_of("big.csv", rows.encode())
