"""Files and folders that are not what the settings mean: refused in words, and left as they are."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from bot.clock import SystemClock
from bot.errors import StorageError
from storage import mounts, open_stores
from storage.copies import backup
from storage.driver import sqlite
from storage.mark import APPLICATION
from storage.mounts import filesystem, network_of
from tests.contract.stores import HandClock, message, put
from tests.unit.test_cli import Inside, inside

__all__ = ["inside"]

STRANGERS = {
    "tables of its own": "CREATE TABLE notes (text TEXT)",
    "a table called migration": "CREATE TABLE migration (id INTEGER, name TEXT)",
    "a mark of its own": "PRAGMA application_id = 252006674",
    "both": "CREATE TABLE track (id INTEGER); PRAGMA application_id = 1",
}


def _stranger(path: Path, script: str) -> bytes:
    with closing(sqlite.connect(path)) as connection:
        connection.executescript(f"{script}; PRAGMA user_version = 7")
    return path.read_bytes()


@pytest.mark.parametrize("script", STRANGERS.values(), ids=STRANGERS)
async def test_a_database_of_another_program_is_refused_and_not_touched(
    tmp_path: Path, script: str
) -> None:
    """Not one byte: also the journal mode, which a look would have changed, stays."""
    path = tmp_path / "photos.db"
    before = _stranger(path, script)
    for read_only in (False, True):
        with pytest.raises(StorageError, match=r"of another program.*FRONTDESK_DB"):
            await open_stores(str(path), HandClock(), read_only=read_only)
    with pytest.raises(StorageError, match="of another program"):
        backup(str(path), str(tmp_path / "copy.db"))
    assert path.read_bytes() == before


async def test_a_desks_file_carries_its_mark_and_its_backup_does(tmp_path: Path) -> None:
    path, copy = tmp_path / "desk.db", tmp_path / "copy.db"
    await (await open_stores(str(path), HandClock())).close()
    backup(str(path), str(copy))
    assert _mark_of(path) == _mark_of(copy) == APPLICATION


async def test_a_desks_file_from_before_the_mark_is_taken_and_marked(tmp_path: Path) -> None:
    """It is known by the table of its migrations; reading commands take it without marking it."""
    path = tmp_path / "desk.db"
    desk = await open_stores(str(path), HandClock())
    await put(desk, message(1))
    await desk.close()
    with closing(sqlite.connect(path)) as connection:
        connection.execute("PRAGMA application_id = 0")
    await (await open_stores(str(path), HandClock(), read_only=True)).close()
    assert _mark_of(path) == 0
    desk = await open_stores(str(path), HandClock())
    assert (await desk.inbox.depth()).waiting == 1
    await desk.close()
    assert _mark_of(path) == APPLICATION


async def test_an_empty_file_becomes_a_desks(tmp_path: Path) -> None:
    path = tmp_path / "desk.db"
    path.touch()
    await (await open_stores(str(path), HandClock())).close()
    assert _mark_of(path) == APPLICATION


def _mark_of(path: Path) -> int:
    with closing(sqlite.connect(path)) as connection:
        return int(connection.execute("PRAGMA application_id").fetchone()[0])


# --- on the command line -------------------------------------------------------------------------


def test_a_folder_that_is_not_there_is_an_error_and_not_made(
    tmp_path: Path, inside: Inside
) -> None:
    """Mistyped, or a disk that is not mounted: whatever the command."""
    missing = str(tmp_path / "mnt" / "desk.db")
    for words in (["chat"], ["kb", "import", "."], ["migrate"], ["doctor"], ["stats"]):
        done = inside(*words, FRONTDESK_DB=missing)
        assert done.returncode in (1, 2), words
        assert "mnt" in done.stdout + done.stderr, words
        assert "Traceback" not in done.stderr
    assert not (tmp_path / "mnt").exists()


def test_a_second_desk_is_told_once_what_to_do(tmp_path: Path, inside: Inside) -> None:
    from storage.lock import LockFile

    lock = LockFile(str(tmp_path / "frontdesk.db"))
    lock.take()
    try:
        done = inside("kb", "import", ".")
    finally:
        lock.let_go()
    assert done.returncode == 1
    assert done.stderr.lower().count("stop it first") == 1
    assert done.stderr.count("FRONTDESK_DB") == 1


def test_what_of_the_knowledge_cannot_be_read_is_a_line_for_people(
    tmp_path: Path, inside: Inside, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a chat: file, place and cause, no JSON; what can be read is learned."""
    folder = tmp_path / "knowledge"
    folder.mkdir()
    (folder / "good.csv").write_text("question,answer\nWho?,Nobody.\n")
    (folder / "bad.csv").write_text("name,price\nx,1\n")
    questions = tmp_path / "asked"
    questions.write_text("Who?\n")
    with questions.open() as typed:
        monkeypatch.setattr("sys.stdin", typed)
        done = inside("chat", FRONTDESK_KNOWLEDGE=str(folder))
    [line] = [line for line in done.stderr.splitlines() if "bad.csv" in line]
    assert line.startswith("Not taken in: ")
    assert "{" not in line


# --- network filesystems -----------------------------------------------------------------------

TABLE = """\
22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime shared:1 - ext4 /dev/vda rw
40 27 0:35 / /srv rw - nfs4 files:/srv rw,vers=4.2
41 40 8:1 / /srv/local rw - xfs /dev/sdb1 rw
42 27 0:36 / /mnt/my\\040share rw - cifs //nas/share rw
43 27 0:37 / /mnt/far rw - fuse.sshfs me@far: rw
44 27 0:38 / /mnt/fuse rw - fuse.mergerfs x rw
a line of something else
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/home/me/desk.db", ""),
        ("/srv/desk.db", "nfs4"),
        ("/srv2/desk.db", ""),
        ("/srv/local/desk.db", ""),
        ("/mnt/my share/desk.db", "cifs"),
        ("/mnt/far/desk.db", "fuse.sshfs"),
        ("/mnt/fuse/desk.db", ""),
    ],
)
def test_a_network_filesystem_is_told_by_its_mount(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, path: str, kind: str
) -> None:
    table = tmp_path / "mountinfo"
    table.write_text(TABLE)
    monkeypatch.setattr(mounts, "MOUNTS", table)
    assert network_of(path) == kind


def test_where_the_system_tells_nothing_nothing_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mounts, "MOUNTS", tmp_path / "none")
    assert network_of("/srv/desk.db") == ""
    assert filesystem("", "/srv") == ""


async def test_a_desk_on_a_network_filesystem_says_so_at_its_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    table = tmp_path / "mountinfo"
    table.write_text(f"1 1 0:1 / {tmp_path} rw - nfs x:/ rw\n")
    monkeypatch.setattr(mounts, "MOUNTS", table)
    await (await open_stores(str(tmp_path / "desk.db"), SystemClock())).close()
    assert "network filesystem (nfs)" in caplog.text
