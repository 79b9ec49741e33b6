"""The laws of migrations: in order, once, whole, and never on a file that does not fit."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.errors import StorageError
from storage.migrate import Migration, known, migrate, pending, refuse_old
from storage.sqlite import SqliteDatabase
from storage.statements import parse, statements
from tests.contract.stores import HandClock

ONE = Migration(number=1, name="one", script="CREATE TABLE a (x INT) STRICT;")
TWO = Migration(
    number=2, name="two", script="CREATE TABLE b (x INT) STRICT;\nINSERT INTO b VALUES (1);"
)


@pytest.fixture
def plain() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    yield connection
    connection.close()


def tables(connection: sqlite3.Connection) -> set[str]:
    rows = connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")
    return {row[0] for row in rows}


def test_each_is_applied_once_in_order(plain: sqlite3.Connection) -> None:
    migrate(plain, "x", [ONE], now=5)
    migrate(plain, "x", [ONE, TWO], now=6)
    migrate(plain, "x", [ONE, TWO], now=7)
    assert tables(plain) == {"migration", "a", "b"}
    assert plain.execute("SELECT count(*) FROM b").fetchone() == (1,)
    times = plain.execute("SELECT applied_at FROM migration ORDER BY number").fetchall()
    assert times == [(5,), (6,)]


def test_one_that_fails_in_the_middle_leaves_nothing(plain: sqlite3.Connection) -> None:
    broken = Migration(
        number=2, name="two", script="CREATE TABLE b (x);\nINSERT INTO nowhere VALUES (1);"
    )
    with pytest.raises(sqlite3.OperationalError):
        migrate(plain, "x", [ONE, broken], now=0)
    assert tables(plain) == {"migration", "a"}
    migrate(plain, "x", [ONE, TWO], now=0)
    assert "b" in tables(plain)


def test_one_that_was_changed_after_it_was_applied_is_refused(plain: sqlite3.Connection) -> None:
    migrate(plain, "desk.db", [ONE], now=0)
    changed = Migration(number=1, name="one", script=ONE.script + " ")
    with pytest.raises(StorageError, match="0001 one was changed after"):
        migrate(plain, "desk.db", [changed], now=0)


def test_a_file_of_a_newer_program_is_refused(plain: sqlite3.Connection) -> None:
    migrate(plain, "desk.db", [ONE, TWO], now=0)
    with pytest.raises(StorageError, match=r"newer Frontdesk.*upgrade"):
        pending(plain, "desk.db", [ONE])


def test_who_may_not_migrate_refuses_an_older_file(plain: sqlite3.Connection) -> None:
    migrate(plain, "desk.db", [ONE], now=0)
    refuse_old(plain, "desk.db", [ONE])
    with pytest.raises(StorageError, match=r"0002 two is missing.*start the desk once"):
        refuse_old(plain, "desk.db", [ONE, TWO])


def test_a_trigger_is_one_statement(plain: sqlite3.Connection) -> None:
    script = (
        "-- semicolons inside; and a comment\nCREATE TABLE a (x INT);\n"
        "CREATE TRIGGER t AFTER INSERT ON a BEGIN\n  UPDATE a SET x = 1;\n"
        "  UPDATE a SET x = x + 1;\nEND;\n-- the end\n"
    )
    migrate(plain, "x", [Migration(number=1, name="t", script=script)], now=0)
    plain.execute("INSERT INTO a VALUES (9)")
    assert plain.execute("SELECT x FROM a").fetchall() == [(2,)]


def test_a_script_that_ends_in_a_statement_is_a_mistake(plain: sqlite3.Connection) -> None:
    cut = Migration(number=1, name="cut", script="CREATE TABLE a (x INT)")
    with pytest.raises(ValueError, match="middle of a statement"):
        migrate(plain, "x", [cut], now=0)
    assert tables(plain) == set()


def test_two_files_with_one_number_are_a_mistake(tmp_path: Path) -> None:
    for name in ("0001_a.sql", "0001_b.sql"):
        (tmp_path / name).write_text("SELECT 1;")
    with pytest.raises(ValueError, match="numbered 0001"):
        known(tmp_path)


async def test_reading_commands_change_no_schema(tmp_path: Path) -> None:
    path, clock = str(tmp_path / "desk.db"), HandClock()
    ours = known()
    old = await SqliteDatabase.open(path, clock=clock, migrations=ours)
    await old.close()
    more = [*ours, Migration(number=999, name="next", script="CREATE TABLE z (x INT);")]
    with pytest.raises(StorageError, match="0999 next is missing"):
        await SqliteDatabase.open(path, clock=clock, migrations=more, read_only=True)
    new = await SqliteDatabase.open(path, clock=clock, migrations=more)
    await new.close()
    with pytest.raises(StorageError, match="newer Frontdesk"):
        await SqliteDatabase.open(path, clock=clock, migrations=ours)


async def test_a_refused_start_lets_go_of_the_lock(tmp_path: Path) -> None:
    path, clock = str(tmp_path / "desk.db"), HandClock()
    bad = [Migration(number=1, name="bad", script="CREATE NONSENSE;")]
    with pytest.raises(Exception, match="syntax error"):
        await SqliteDatabase.open(path, clock=clock, migrations=bad)
    good = await SqliteDatabase.open(path, clock=clock)
    await good.close()


def test_our_migrations_are_numbered_in_order_and_all_tables_are_strict() -> None:
    ours = known()
    assert [one.number for one in ours] == sorted({one.number for one in ours})
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection, "x", ours[:1], now=0)
    loose = connection.execute(
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table'"
        " AND strict = 0 AND name NOT LIKE 'sqlite_%'"
    ).fetchall()
    connection.close()
    assert loose == []


def test_every_named_statement_fits_the_tables() -> None:
    """Each is compiled by SQLite itself: a column misspelt in a rare branch is found here."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection, "x", known(), now=0)
    for name, text in statements().items():
        parameters = dict.fromkeys(_parameters(text))
        try:
            connection.execute(f"EXPLAIN {text}", parameters)
        except sqlite3.Error as error:
            pytest.fail(f"{name}: {error}")
    connection.close()


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("due_conversations", "conversation_to_wake"),
        ("first_wake", "conversation_to_wake"),
        ("due_line", "inbox_line"),
        ("covered_line", "inbox_line"),
        ("next_wake", "inbox_line"),
        ("any_signal", "signal_waiting"),
        ("take_signals", "signal_waiting"),
        ("ledger_rows", "ledger_at"),
        ("find_ticket", "ticket_open"),
        ("last_turns", "PRIMARY KEY"),
        ("prune_inbox", "inbox_settled"),
        ("prune_turns", "turn_age"),
        ("count_person", "ledger_of_person"),
        ("count_chat", "ledger_of_chat"),
        ("count_desk", "ledger_at"),
        ("their_messages", "inbox_sender"),
    ],
)
def test_what_runs_often_uses_its_index_and_never_scans(name: str, index: str) -> None:
    connection = sqlite3.connect(":memory:", isolation_level=None)
    migrate(connection, "x", known(), now=0)
    text = statements()[name]
    plan = connection.execute(f"EXPLAIN QUERY PLAN {text}", dict.fromkeys(_parameters(text)))
    steps = [row[3] for row in plan]
    connection.close()
    assert any(index in step for step in steps), steps
    assert not [
        step for step in steps if step.startswith("SCAN") and step != "SCAN CONSTANT ROW"
    ], steps


def test_a_statement_named_twice_or_left_empty_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="twice"):
        parse("-- a: one\nSELECT 1;\n-- a: two\nSELECT 2;")
    with pytest.raises(ValueError, match="empty"):
        parse("-- a: one\n-- b: two\nSELECT 2;")


def _parameters(text: str) -> list[str]:
    import re

    return re.findall(r"(?<!:):([a-z_][a-z0-9_]*)", text)
