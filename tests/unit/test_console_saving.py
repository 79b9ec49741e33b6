"""Files at the terminal: named before they are written, never over another, never elsewhere."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prompt_toolkit.input import create_pipe_input
from prompt_toolkit.output import DummyOutput
from rich.console import Console

from adapters.console import ConsoleAdapter, TerminalAdapter
from adapters.console.saving import plain_name, save
from adapters.console.screen import Screen
from bot.clock import SystemClock
from bot.config import DeskConfig
from bot.errors import LeaseLost, PlatformRefused
from bot.ports import Depth, TakesFiles


@given(st.text(max_size=300))
def test_no_name_leads_out_of_the_folder_or_hides(name: str) -> None:
    plain = plain_name(name)
    assert plain
    assert not plain.startswith((".", "-", " "))
    assert not set("/\\\0\n\x1b\u202e") & set(plain)
    assert len(f"{plain}-999".encode()) <= 255


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("code.py", "code.py"),
        ("../../etc/passwd", "passwd"),
        ("C:\\a\\b.txt", "b.txt"),
        (".bashrc", "bashrc"),
        ("表 格.csv", "表 格.csv"),
        ("a;rm -rf ~.sh", "a_rm -rf _.sh"),
        ("...", "file"),
    ],
)
def test_names_are_kept_as_far_as_they_are_harmless(name: str, kept: str) -> None:
    assert plain_name(name) == kept


def test_what_is_there_is_never_overwritten_nor_followed(tmp_path: Path) -> None:
    (tmp_path / "code.py").write_text("mine")
    (tmp_path / "code-1.py").symlink_to(tmp_path / "nowhere")
    told: list[str] = []
    path = save(tmp_path, "code.py", b"new", tell=told.append)
    assert path == tmp_path / "code-2.py"
    assert told == [str(path)]
    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "code.py").read_text() == "mine"
    assert not (tmp_path / "nowhere").exists()


def test_it_is_named_before_it_is_written(tmp_path: Path) -> None:
    seen: list[bool] = []
    save(tmp_path, "a.txt", b"x", tell=lambda path: seen.append(os.path.lexists(path)))
    assert seen == [False]


def test_a_folder_that_takes_nothing_is_a_refusal(tmp_path: Path) -> None:
    """Then the code stands in the text instead."""
    with pytest.raises(PlatformRefused):
        save(tmp_path / "none", "a.txt", b"x", tell=lambda _: None)


async def idle() -> Depth:
    return Depth(waiting=0, leased=0, dead=0, oldest_ms=0)


async def test_a_person_gets_the_file_and_a_pipe_gets_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with create_pipe_input() as keys, (tmp_path / "paper").open("w+") as paper:
        console = Console(file=paper, force_terminal=True, width=500)
        screen = Screen("en", keyboard=keys, display=DummyOutput(), console=console)
        terminal = TerminalAdapter(DeskConfig(), SystemClock(), depth=idle, surface=screen)
        ref = await terminal.send_file(
            terminal.place, "export.json", b"{}", caption="All of it", guard=lambda: None
        )
        paper.seek(0)
        shown = paper.read()
    assert ref.id == f"file:{tmp_path / 'export.json'}"
    assert (tmp_path / "export.json").read_bytes() == b"{}"
    assert f"Saving {tmp_path / 'export.json'}" in shown
    assert "All of it" in shown
    assert isinstance(terminal, TakesFiles)
    assert not issubclass(ConsoleAdapter, TakesFiles)


async def test_who_has_lost_the_lease_saves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    def lost() -> None:
        raise LeaseLost

    with create_pipe_input() as keys:
        screen = Screen("en", keyboard=keys, display=DummyOutput())
        terminal = TerminalAdapter(DeskConfig(), SystemClock(), depth=idle, surface=screen)
        with pytest.raises(LeaseLost):
            await terminal.send_file(terminal.place, "a", b"x", caption="", guard=lost)
    assert os.listdir(tmp_path) == []  # noqa: PTH208
