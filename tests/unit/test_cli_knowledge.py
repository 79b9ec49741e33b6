"""`frontdesk kb`: what it reads, what it changes, and that a running desk does the changing."""

from __future__ import annotations

import asyncio
import json
import shlex
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bot.cli import main
from bot.control import ControlServer, socket_path
from tests.fakes.glm import KEY, FakeGlm, computed
from tests.unit.test_cli import Inside, frontdesk, inside

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
    assert "command line · added" in shown
    filled("kb", "export", "-o", "out.jsonl")
    nowhere = filled("kb", "export", "-o", "nowhere/out.jsonl")
    assert nowhere.returncode == 2
    assert "no folder nowhere" in nowhere.stderr
    rows = [json.loads(line) for line in (tmp_path / "out.jsonl").read_text().splitlines()]
    assert {row["id"] for row in rows} == {"hours", "pets"}


def test_who_changed_what_is_told_of_one_entry_and_of_all(filled: Inside) -> None:
    filled("kb", "edit", "hours", "Round the clock.")
    filled("kb", "remove", "pets")
    first = filled("kb", "rollback").stdout.splitlines()[-1].split()[0]
    filled("kb", "rollback", first)
    lines = filled("kb", "history").stdout.splitlines()
    wanted = [f"went back to state {first}", "removed pets", "changed hours"]
    assert [line.split(" · ")[1:] for line in lines[:3]] == [["command line", w] for w in wanted]
    assert len(lines) == 5
    rows = json.loads(filled("kb", "history", "hours", "--json").stdout)
    assert [row["action"] for row in rows] == ["changed", "added"]
    chinese = filled("kb", "history", "hours", LANG="zh_CN.UTF-8").stdout
    assert [line.split(" · ")[1:] for line in chinese.splitlines()] == [
        ["命令行", "修改 hours"],
        ["命令行", "新增 hours"],
    ]
    assert "Nothing was changed" in filled("kb", "history", "nobody").stdout
    states = filled("kb", "rollback", LANG="zh_CN.UTF-8").stdout
    assert f"命令行 · 回到状态 {first}" in states
    assert "命令行 · 删除 pets" in states


async def test_gaps_come_with_a_draft_each_where_there_is_a_model(
    filled: Inside, tmp_path: Path
) -> None:
    (tmp_path / "frontdesk.toml").write_text('[desk]\nanswers = "strict"\n')
    asked = "Do you engrave names?\nWho may rent an elephant?\n"
    await asyncio.to_thread(frontdesk, ["chat"], tmp_path, stdin=asked.encode())
    plain = await asyncio.to_thread(filled, "kb", "gaps")
    assert "1 × Do you engrave names?" in plain.stdout
    assert "kb add" not in plain.stdout
    draft = json.dumps({"question": "It's engraved?", "answer": "[to be filled in]"})
    async with FakeGlm(default=computed(lambda _: draft)) as glm:
        settings = f"MODEL_API_KEY={KEY}\nMODEL_BASE_URL={glm.url}\n"
        (tmp_path / ".env").write_text(settings)
        drafted = await asyncio.to_thread(filled, "kb", "gaps")
        words = ("kb", "gaps", "--json", "--drafts", "1")
        rows = json.loads((await asyncio.to_thread(filled, *words)).stdout)
    [line, _] = [line for line in drafted.stdout.splitlines() if "Draft" in line]
    typed = shlex.split(line.partition(": ")[2])
    assert typed == ["frontdesk", "kb", "add", "It's engraved?", "[to be filled in]"]
    assert [row["draft"] is None for row in rows] == [False, True]
    assert [row["count"] for row in rows] == [1, 1]


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
    assert again.stdout == f"Changed: {uid}\n"
    clash = filled("kb", "add", "do you ship to NORWAY please", "Maybe.").stdout
    assert f"Careful: {uid} and desk#" in clash
    assert "answer differently" in clash
    assert filled("kb", "list").stdout.casefold().count("norway") == 2
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
    assert seen["lost"] == []
    (tmp_path / "cases.jsonl").write_text('{"text": "is my dog allowed", "rel": ["pest"]}')
    assert "not in the base (1): pest" in filled("kb", "eval", "cases.jsonl").stdout
    (tmp_path / "cases.jsonl").write_text('{"text": "qwertz", "rel": ["pets"]}')
    assert filled("kb", "eval", "cases.jsonl").stdout.endswith("1 × pets → nothing\n")
    assert json.loads(filled("kb", "eval", "--json").stdout)["cases"] > 6
    (tmp_path / "cases.jsonl").write_text('{"kind": "in"}\n')
    failed = filled("kb", "eval", "cases.jsonl")
    assert failed.returncode == 1
    assert "line 1" in failed.stderr


def test_a_test_set_with_a_mistake_beside_the_sources_is_told_and_they_come_in(
    inside: Inside, tmp_path: Path
) -> None:
    (tmp_path / "kb").mkdir()
    (tmp_path / "kb" / "faq.csv").write_text(FAQ)
    (tmp_path / "kb" / "my-eval.jsonl").write_text('{"text": "When?"}\n')
    made = inside("kb", "import", "kb")
    assert made.returncode == 1
    assert "2 added" in made.stdout
    assert 'my-eval.jsonl, line 1: a question of the kind "in" needs "rel"' in made.stderr


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
        async def change(**asked: str) -> dict[str, int]:
            told.append(asked)
            return {"generation": 2}

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
