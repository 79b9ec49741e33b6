"""The operator's commands: what they leave on disk, what they refuse, and how they say it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import pytest

from bot.clock import SystemClock
from bot.i18n import catalogue
from bot.ports import Intake
from bot.types import Turn
from storage import Stores, open_stores
from storage.copies import restore, upgrade
from storage.driver import sqlite
from storage.lock import LockFile
from storage.migrate import known
from tests.contract.stores import lease_one, message, put, settlement
from tests.unit.test_cli import Inside, inside

__all__ = ["inside"]

COMMANDS = [
    "doctor",
    "backup",
    "restore",
    "migrate",
    "forget",
    "dead list",
    "dead show",
    "dead requeue",
]


@pytest.fixture(autouse=True)
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """The doctor looks at no fonts: that is a process of some seconds."""
    monkeypatch.setattr("bot.stats.picture.can_draw", lambda: False)


def mode_of(path: Path) -> int:
    return path.stat().st_mode & 0o777


def modes_in(folder: Path) -> dict[str, int]:
    return {path.name: mode_of(path) for path in folder.iterdir()}


def content_of(path: Path) -> dict[str, bytes]:
    return {end: Path(f"{path}{end}").read_bytes() for end in ("", "-wal")}


def changed(path: Path, statement: str) -> None:
    """What a stranger, a newer or an older program did to a database."""
    connection = sqlite.connect(path)
    connection.execute(statement)
    connection.commit()
    connection.close()


T = TypeVar("T")


def on(path: Path, work: Callable[[Stores], Awaitable[T]]) -> T:
    """Open a database as a desk does, work on it, and close it in order."""

    async def worked() -> T:
        desk = await open_stores(str(path), SystemClock())
        try:
            return await work(desk)
        finally:
            await desk.close()

    return asyncio.run(worked())


def waiting(path: Path) -> int:
    return on(path, lambda desk: desk.inbox.depth()).waiting


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A desk's database that was closed in order, with one message waiting."""
    path = tmp_path / "frontdesk.db"
    on(path, lambda desk: put(desk, message(1)))
    return path


@pytest.mark.parametrize("command", COMMANDS)
def test_help_explains_each_command(command: str, inside: Inside) -> None:
    done = inside(*command.split(), "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"Usage: frontdesk {command}" in done.stdout
    assert len(done.stdout.splitlines()) >= 6


def test_no_line_of_the_overview_is_cut_off(inside: Inside) -> None:
    for words in ((), ("dead",), ("kb",)):
        _, _, commands = inside(*words, "--help").stdout.partition("Commands:")
        assert "..." not in commands


def test_the_two_catalogues_say_the_same_things() -> None:
    keys = [{key for key in catalogue(one) if key.startswith("operator.")} for one in ("en", "zh")]
    assert keys[0] == keys[1] != set()


# --- files --------------------------------------------------------------------------------------


def test_the_database_is_private_from_its_first_moment(tmp_path: Path) -> None:
    async def look(desk: Stores) -> dict[str, int]:
        await put(desk, message(1))
        return await asyncio.to_thread(modes_in, tmp_path)

    kept = on(tmp_path / "frontdesk.db", look)
    assert kept.keys() > {"frontdesk.db", "frontdesk.db-wal", "frontdesk.db-shm"}
    assert set(kept.values()) == {0o600}


def test_a_backup_is_private_whole_and_never_over_another_file(
    database: Path, inside: Inside
) -> None:
    done = inside("backup", "copy.db")
    assert (done.returncode, done.stderr) == (0, "")
    copy = database.parent / "copy.db"
    assert str(copy.name) in done.stdout
    assert mode_of(copy) == 0o600
    before = copy.read_bytes()
    again = inside("backup", "copy.db")
    assert (again.returncode, again.stdout) == (2, "")
    assert "already" in again.stderr
    assert copy.read_bytes() == before


def test_a_backup_into_no_folder_blames_the_folder(database: Path, inside: Inside) -> None:
    done = inside("backup", str(database.parent / "nowhere" / "copy.db"))
    assert (done.returncode, done.stdout) == (2, "")
    assert f"no folder {database.parent / 'nowhere'}" in done.stderr
    assert str(database) not in done.stderr


def test_a_backup_without_a_name_stands_beside_the_database(database: Path, inside: Inside) -> None:
    assert inside("backup").returncode == 0
    assert len(list(database.parent.glob("frontdesk-2*.db"))) == 1


@pytest.mark.parametrize("command", [["backup"], ["migrate"], ["dead", "list"]])
def test_without_a_database_each_says_so(
    command: list[str], tmp_path: Path, inside: Inside
) -> None:
    done = inside(*command)
    assert (done.returncode, done.stdout) == (1, "")
    assert "there is no database" in done.stderr
    told = inside(*command, LANG="zh_CN.UTF-8").stderr
    assert "还没有数据库" in told
    assert "there is" not in told, "one language at a time"
    assert [one.name for one in tmp_path.iterdir() if one.name != "frontdesk.db.lock"] == []


def test_a_restored_desk_is_the_one_that_was_backed_up(database: Path, inside: Inside) -> None:
    assert inside("backup", "copy.db").returncode == 0
    on(database, lambda desk: put(desk, message(2)))
    done = inside("restore", "copy.db")
    assert (done.returncode, done.stderr) == (0, "")
    (aside,) = database.parent.glob("frontdesk-before-restore-*.db")
    assert aside.name in done.stdout
    assert (waiting(database), waiting(aside)) == (1, 2)
    assert mode_of(database) == 0o600


def test_the_log_of_a_killed_desk_goes_with_its_file(database: Path) -> None:
    """Left behind, it would be played into the restored file."""
    source = database.parent / "copy.db"
    source.write_bytes(database.read_bytes())

    async def kill(desk: Stores) -> dict[str, bytes]:
        await put(desk, message(2))
        return await asyncio.to_thread(content_of, database)

    killed = on(database, kill)
    for end, content in killed.items():
        Path(f"{database}{end}").write_bytes(content)
    aside = database.parent / "aside.db"
    assert restore(str(database), str(source), aside=str(aside))
    assert Path(f"{aside}-wal").read_bytes() == killed["-wal"]
    assert (waiting(database), waiting(aside)) == (1, 2)


def test_nothing_is_restored_while_a_desk_runs(database: Path, inside: Inside) -> None:
    assert inside("backup", "copy.db").returncode == 0
    before = database.read_bytes()
    lock = LockFile(str(database))
    lock.take()
    done = inside("restore", "copy.db")
    lock.let_go()
    assert (done.returncode, done.stdout) == (1, "")
    assert "running" in done.stderr
    assert database.read_bytes() == before


def test_a_restore_that_is_refused_touches_nothing(database: Path, inside: Inside) -> None:
    folder = database.parent
    (folder / "text.db").write_text("not a database at all, only words" * 50)
    changed(folder / "stranger.db", "CREATE TABLE mine (a)")
    assert inside("backup", "newer.db").returncode == 0
    changed(folder / "newer.db", "INSERT INTO migration VALUES (9999, 'future', 'x', 1)")
    before = database.read_bytes()
    wanted = {
        "text.db": "no database",
        "stranger.db": "not a database of a desk",
        "newer.db": "newer Frontdesk",
        "frontdesk.db": "the database itself",
    }
    for name, words in wanted.items():
        done = inside("restore", name)
        assert done.returncode in {1, 2}, name
        assert words in done.stderr
    told = inside("restore", "text.db", LANG="zh_CN.UTF-8").stderr
    assert "请换一个备份" in told
    assert "keep the file" not in told, "that is for a desk's own database, and in English"
    assert database.read_bytes() == before
    assert not list(folder.glob("*before-restore*"))
    assert not list(folder.glob("*.part*"))


def test_migrations_are_applied_once_and_named(tmp_path: Path) -> None:
    path, both = tmp_path / "desk.db", known()
    first = both[:1]
    sqlite.connect(path).close()
    assert upgrade(str(path), now=1, migrations=first) == first
    assert upgrade(str(path), now=2, migrations=both) == both[1:]
    assert upgrade(str(path), now=3, migrations=both) == []


def test_migrate_says_what_it_did(database: Path, inside: Inside) -> None:
    assert "Up to date" in inside("migrate").stdout
    newer = inside("backup", "newer.db")
    assert newer.returncode == 0
    changed(database, "INSERT INTO migration VALUES (9999, 'future', 'x', 1)")
    done = inside("migrate")
    assert (done.returncode, done.stdout) == (1, "")
    assert "newer Frontdesk" in done.stderr


# --- dead letters -------------------------------------------------------------------------------


async def bury(desk: Stores) -> None:
    """The waiting message is given up, and an event came that nobody understood."""
    lease = await lease_one(desk)
    await desk.inbox.bury(lease, settlement(outcome="undeliverable"), error="ref1: \x1b[31mno")
    await desk.inbox.put([Intake(raw="odd", delivery="odd", error="not understood")])


def test_dead_letters_are_listed_shown_and_put_back(database: Path, inside: Inside) -> None:
    on(database, bury)
    listed = inside("dead", "list").stdout.splitlines()
    assert len(listed) == 2
    assert "2*" in listed[0]
    assert "ref1" in listed[1]
    assert "\x1b" not in "".join(listed)
    shown = inside("dead", "show", "1").stdout
    assert "text 1" in shown
    assert "Ann" in shown
    assert "never became a message" in inside("dead", "show", "2").stdout
    assert inside("dead", "show", "3").returncode == 2

    both = inside("dead", "requeue", "1", "2")
    assert both.returncode == 1
    assert "Put back into their lines: 1" in both.stdout
    assert "Not put back: 2" in both.stderr
    lease = on(database, lease_one)
    assert (lease.messages[0].message.text, lease.attempt) == ("text 1", 1)


def test_all_that_can_be_tried_again_is(database: Path, inside: Inside) -> None:
    on(database, bury)
    done = inside("dead", "requeue", "--all")
    assert (done.returncode, done.stderr) == (0, "")
    assert "1" in done.stdout
    assert len(inside("dead", "list").stdout.splitlines()) == 1


@pytest.mark.parametrize("words", [[], ["1", "--all"], ["0"], ["x"], ["9" * 30]])
def test_requeue_wants_numbers_or_all(words: list[str], database: Path, inside: Inside) -> None:
    done = inside("dead", "requeue", *words)
    assert done.returncode == 2
    assert "Usage" in done.stderr
    assert "Traceback" not in done.stderr


# --- the doctor ---------------------------------------------------------------------------------


def test_the_doctor_works_before_the_first_start_and_makes_nothing(
    tmp_path: Path, inside: Inside
) -> None:
    done = inside("doctor")
    assert (done.returncode, done.stderr) == (0, "")
    assert "will be created" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_wrong_settings_are_findings(tmp_path: Path, inside: Inside) -> None:
    (tmp_path / "frontdesk.toml").write_text("[desk]\nanswers = 'perhaps'\nmode = 1\n", "utf-8")
    done = inside("doctor")
    assert (done.returncode, done.stderr) == (1, "")
    assert done.stdout.count("✗") == 2
    assert "desk.answers" in done.stdout


def test_an_open_or_old_database_is_a_warning_and_a_broken_one_fails(
    database: Path, inside: Inside
) -> None:
    database.chmod(0o644)
    assert "chmod 600" in inside("doctor").stdout
    database.chmod(0o600)
    last = known()[-1]
    changed(database, f"DELETE FROM migration WHERE number = {last.number}")
    old = inside("doctor")
    assert old.returncode == 0
    assert f"{last.number:04} {last.name} is missing" in old.stdout
    content = bytearray(database.read_bytes())
    content[4096 : 4096 * 20] = b"\xff" * (4096 * 19)
    database.write_bytes(content)
    broken = inside("doctor")
    assert broken.returncode == 1
    assert "damaged" in broken.stdout


def test_findings_are_json_for_a_program_in_the_desks_language(
    database: Path, inside: Inside
) -> None:
    rows = json.loads(inside("doctor", "--json", FRONTDESK_LOCALE="zh").stdout)
    assert {row["part"] for row in rows} == {"config", "database", "knowledge", "charts"}
    assert {row["state"] for row in rows} <= {"ok", "warn"}
    assert all(row["found"] for row in rows)
    assert any("数据库" in row["found"] or "写" in row["found"] for row in rows)


def test_the_doctor_names_the_wrong_line_of_a_skill_file(tmp_path: Path, inside: Inside) -> None:
    """The desk would not start with it."""
    (tmp_path / "skills").mkdir()
    file = tmp_path / "skills" / "haiku.toml"
    file.write_text('name = "haiku"\nroles = ["king"]\n', "utf-8")
    done = inside("doctor")
    assert done.returncode == 1
    assert "skills/haiku.toml, line 2" in done.stdout
    shipped = Path(__file__).parents[2] / "bot" / "skills" / "blog.toml"
    file.write_text(shipped.read_text("utf-8").replace('"blog"', '"haiku"'), "utf-8")
    well = inside("doctor")
    assert well.returncode == 0
    assert "✓ Your skills: haiku" in well.stdout


# --- forget -------------------------------------------------------------------------------------


def test_somebody_is_erased_by_number_or_account_after_a_question(
    database: Path, inside: Inside
) -> None:
    """Nobody without a yes, nobody unknown; then the words are in the file no more."""
    words = b"a question nobody could answer"
    person = asyncio.run(_ask(database, words.decode()))
    for who in ("#999", "#" + "9" * 30, "telegram:1/nobody", "Ann", "#", ""):
        done = inside("forget", "--yes", who)
        assert (done.returncode, done.stdout) == (2, ""), who
        assert "nobody known" in done.stderr
    assert inside("forget", f"#{person}").returncode != 0  # no answer to the question
    assert words in _all_of(database)
    done = inside("forget", "--yes", f"#{person}")
    assert done.returncode == 0, done.stderr
    assert words not in _all_of(database)
    again = inside("forget", "--yes", "fake:bot/eve")
    assert again.returncode == 0, again.stderr


def _all_of(database: Path) -> bytes:
    return b"".join(one.read_bytes() for one in database.parent.glob(f"{database.name}*"))


async def _ask(database: Path, words: str) -> int:
    """Somebody asks, is answered, and it is kept."""
    stores = await open_stores(str(database), SystemClock())
    try:
        said = message(1, words, channel="eves", user="eve")
        person = await stores.people.person(said.place, said.sender)
        await put(stores, said)
        turns = (Turn(role="user", text=words, said_at=1),)
        kept = replace(settlement(), turns=turns, person=person.id)
        while leases := await stores.inbox.lease("me", 9):
            for lease in leases:
                await stores.inbox.settle(lease, kept)
        return person.id
    finally:
        await stores.close()
