"""`frontdesk kb`: what it reads, what it changes, and that a running desk does the changing."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bot.cli import main
from bot.control import ControlServer, socket_path
from tests.unit.test_cli import Inside, inside

__all__ = ["inside", "main"]

FAQ = (
    "id,question,alias,answer\n"
    "hours,When are you open?,What are your opening hours?|Opening times,From nine to five.\n"
    "pets,May I bring my dog?,Are pets allowed?|Dogs welcome?,Dogs are welcome.\n"
)


@pytest.fixture
def filled(inside: Inside, tmp_path: Path) -> Inside:
    (tmp_path / "faq.csv").write_text(FAQ)
    assert inside("kb", "import", "faq.csv").returncode == 0
    return inside


def test_listing_showing_and_exporting(filled: Inside, tmp_path: Path) -> None:
    assert "hours — When are you open?" in filled("kb", "list").stdout
    assert [one["uid"] for one in json.loads(filled("kb", "list", "dog", "--json").stdout)] == [
        "pets"
    ]
    shown = filled("kb", "show", "hours").stdout
    assert "From nine to five." in shown
    assert "~ Opening times" in shown
    assert "added cli" in shown
    filled("kb", "export", "-o", "out.jsonl")
    nowhere = filled("kb", "export", "-o", "nowhere/out.jsonl")
    assert nowhere.returncode == 2
    assert "no folder nowhere" in nowhere.stderr
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert {row["id"] for row in rows} == {"hours", "pets"}


def test_an_unknown_entry_is_said_plainly_and_ends_with_the_operators_status(
    filled: Inside,
) -> None:
    for words in (("show", "nobody"), ("edit", "nobody", "x"), ("remove", "nobody")):
        failed = filled("kb", *words)
        assert failed.returncode == 2
        assert "nobody" in failed.stderr
        assert "`frontdesk kb list`" in failed.stderr, "a word that can be typed here"
        assert "Traceback" not in failed.stderr


def test_editing_removing_and_going_back(filled: Inside) -> None:
    assert filled("kb", "edit", "hours", "Round", "the", "clock.").returncode == 0
    assert "Round the clock." in filled("kb", "show", "hours").stdout
    assert filled("kb", "remove", "pets").returncode == 0
    assert "pets" not in filled("kb", "list").stdout
    states = filled("kb", "rollback").stdout
    first = states.splitlines()[-1].split()[0]
    assert filled("kb", "rollback", first).returncode == 0
    assert "pets" in filled("kb", "list").stdout
    assert "From nine to five." in filled("kb", "show", "hours").stdout
    assert "frontdesk kb rollback NUMBER" in states, "a word that can be typed here"


def test_an_added_faq_is_found_and_its_id_is_told(filled: Inside) -> None:
    done = filled("kb", "add", "Do you ship to Norway?", "Yes, within five days.")
    assert done.returncode == 0
    uid = done.stdout.split()[-1]
    assert "Yes, within five days." in filled("kb", "show", uid).stdout
    assert "within five days" in filled("kb", "search", "Norway").stdout
    again = filled("kb", "add", "Do you ship to Norway?", "No.")
    assert again.stdout.split()[-1] == uid
    assert filled("kb", "list").stdout.count("Norway") == 1
    for words in (("", "x"), ("x", " "), ("x", "y" * 200_000), ("alone",)):
        assert filled("kb", "add", *words).returncode == 2


@pytest.mark.parametrize("number", ["999", "9" * 40])
def test_a_state_that_is_not_kept_is_said_in_the_language_of_the_terminal(
    filled: Inside, number: str
) -> None:
    for language, said in (("C.UTF-8", "is not kept"), ("zh_CN.UTF-8", "没有保留状态")):
        failed = filled("kb", "rollback", number, LANG=language)
        assert failed.returncode == 2
        assert said in failed.stderr


def test_an_empty_base_has_no_states(inside: Inside, tmp_path: Path) -> None:
    (tmp_path / "none").mkdir()
    assert inside("kb", "import", "none").returncode == 0
    shown = inside("kb", "rollback").stdout
    assert "no earlier state" in shown
    assert "NUMBER" not in shown


def test_eval_of_a_file_and_of_the_base_itself(filled: Inside, tmp_path: Path) -> None:
    cases = [
        {"text": "is my dog allowed", "rel": ["pets"]},
        {"text": "weather on the moon", "kind": "far"},
    ]
    (tmp_path / "cases.jsonl").write_text("\n".join(map(json.dumps, cases)))
    seen = json.loads(filled("kb", "eval", "cases.jsonl", "--json").stdout)
    assert (seen["cases"], seen["recall_1"]) == (2, 1.0)
    assert "R@1 1.00" in filled("kb", "eval", "cases.jsonl").stdout
    assert json.loads(filled("kb", "eval", "--json").stdout)["cases"] > 6
    (tmp_path / "cases.jsonl").write_text('{"kind": "in"}\n')
    failed = filled("kb", "eval", "cases.jsonl")
    assert failed.returncode == 1
    assert "line 1" in failed.stderr


def test_explaining_and_gaps(filled: Inside) -> None:
    found = json.loads(filled("kb", "explain", "when", "open", "--json").stdout)
    assert found["found"][0]["entry"] == "hours"
    assert found["decision"] in {"direct", "grounded", "abstain"}
    assert "hours" in filled("kb", "explain", "opening hours").stdout
    assert json.loads(filled("kb", "gaps", "--json").stdout) == []


@contextmanager
def _desk_that_runs(path: Path, told: list[dict[str, str]]) -> Iterator[None]:
    """Answers `kb_change` on the control socket, from a thread of its own."""
    up, down = threading.Event(), threading.Event()

    async def serve() -> None:
        async def change(**asked: str) -> None:
            told.append(asked)

        server = ControlServer(path, {"kb_change": change})
        await server.start()
        up.set()
        await asyncio.to_thread(down.wait)
        await server.close()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert up.wait(10)
    try:
        yield
    finally:
        down.set()
        thread.join()


def test_a_running_desk_does_the_changing(filled: Inside, tmp_path: Path) -> None:
    told: list[dict[str, str]] = []
    database = tmp_path / "other.db"
    with _desk_that_runs(socket_path(str(database)), told):
        made = filled("kb", "remove", "pets", FRONTDESK_DB=str(database))
    assert made.returncode == 0
    assert told == [{"word": "remove", "target": "pets", "answer": ""}]
