"""`frontdesk chat` as a person meets it: a real process at a real terminal, a model on the wire."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bot.clock import SystemClock
from bot.knowledge.base import KnowledgeBase
from storage import open_stores
from storage.lock import LockFile
from tests.fakes.glm import KEY
from tests.fakes.inline_database import laid
from tests.unit.test_cli import ROOT, Done, Session, frontdesk


@pytest.fixture
def slow_glm() -> Iterator[str]:
    """The address of a model that takes four seconds for an answer."""
    words = ["-m", "tests.fakes.glm", "--chunks", "40", "--delay", "0.1"]
    with subprocess.Popen(
        [sys.executable, *words], cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        yield process.stdout.readline().strip()
        process.terminate()


def parrots(where: Path) -> Path:
    """A folder of knowledge with one question."""
    folder = where / "kb"
    folder.mkdir()
    (folder / "faq.csv").write_text("question,answer\nWho is Zara?,Our parrot.\n", "utf-8")
    return folder


def test_ctrl_c_stops_a_model_in_the_middle_and_the_session_goes_on(
    tmp_path: Path, slow_glm: str
) -> None:
    settings = {"MODEL_API_KEY": KEY, "MODEL_BASE_URL": slow_glm}
    session = Session(tmp_path, "chat", "--no-knowledge", **settings)
    session.until("›")
    session.press("Tell me a story\r")
    session.until("You asked")
    session.press("\x03")
    session.until("Stopping")
    session.until("Stopped.")  # the mark under the answer
    session.until("›")
    assert "End of answer" not in session.paper
    session.press("And now?\r")
    session.until("End of answer")
    session.until("›")
    session.press("quit\r")
    session.until("Goodbye.")
    assert session.ended() == 0


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "in an answer"])
def test_a_chat_whose_terminal_goes_away_ends_at_once(
    tmp_path: Path, slow_glm: str, *, busy: bool
) -> None:
    """A window that is closed where no SIGHUP comes: nobody reads the rest of the answer."""
    settings = {"MODEL_API_KEY": KEY, "MODEL_BASE_URL": slow_glm}
    session = Session(tmp_path, "chat", "--no-knowledge", **settings)
    session.until("›")
    if busy:
        session.press("Tell me a story\r")
        session.until("You asked")
    begun = time.monotonic()
    assert session.vanished() == 0
    assert time.monotonic() - begun < 3  # the model would take four seconds


def test_another_model_is_asked_by_its_name(tmp_path: Path, slow_glm: str) -> None:
    settings = {"MODEL_API_KEY": KEY, "MODEL_BASE_URL": slow_glm}
    session = Session(tmp_path, "chat", "--no-knowledge", "--model", "glm-4.7", **settings)
    session.until("›")
    session.press("Tell me about lamps\r")
    session.until("tokens · glm-4.7\x1b")
    session.press("\x04")
    session.until("Goodbye.")
    assert session.ended() == 0


def test_lines_come_back_in_the_next_session_and_are_the_owners_only(tmp_path: Path) -> None:
    for keys in ("How do I return an item?\r", "\x1b[A\r"):
        session = Session(tmp_path, "chat")
        session.until("›")
        session.press(keys)
        session.until("Source")
        session.until("›")
        session.press("\x04")
        session.until("Goodbye.")
        assert session.ended() == 0
    (kept,) = (tmp_path / "state").rglob("console_history")
    assert kept.stat().st_mode & 0o777 == 0o600
    assert kept.read_text("utf-8").count("How do I return an item?") == 1


@pytest.fixture
async def shop(tmp_path: Path) -> Path:
    """A folder whose database knows one thing that the sample does not."""
    (tmp_path / "faq.csv").write_text("question,answer\nWho is Zara?,Our parrot.\n", "utf-8")
    stores = await open_stores(str(laid(tmp_path / "frontdesk.db")), SystemClock())
    await KnowledgeBase(stores.passages, SystemClock()).import_file(tmp_path / "faq.csv")
    await stores.close()
    return tmp_path


def asked(folder: Path, *words: str) -> Done:
    return frontdesk(["chat", *words], folder, stdin=b"Who is Zara?\n")


def test_a_chat_answers_from_the_desks_own_knowledge(shop: Path) -> None:
    done = asked(shop)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Our parrot." in done.stdout


def test_beside_a_running_desk_a_chat_reads_its_knowledge_and_keeps_nothing(shop: Path) -> None:
    before = (shop / "frontdesk.db").read_bytes()
    lock = LockFile(str(shop / "frontdesk.db"))
    lock.take()
    done = asked(shop)
    lock.let_go()
    assert done.returncode == 0
    assert "Our parrot." in done.stdout
    assert "nothing said here is kept" in done.stderr
    assert (shop / "frontdesk.db").read_bytes() == before


def test_a_chat_serves_no_admin_pages_and_offers_no_link_to_any(shop: Path) -> None:
    done = frontdesk(["chat"], shop, stdin=b"/admin\n")
    assert done.returncode == 0
    assert "no admin pages here" in done.stdout
    assert "http" not in done.stdout


@pytest.mark.parametrize("words", [["--no-knowledge"], ["--model", "x"]])
def test_without_any_model_it_is_said_what_to_set(words: list[str], tmp_path: Path) -> None:
    done = asked(tmp_path, *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert "MODEL_API_KEY" in done.stderr


def test_the_folder_is_followed_while_somebody_sits_here(tmp_path: Path) -> None:
    """A file that comes, changes or is broken is told above the prompt; Ctrl-C and Ctrl-D leave."""
    folder = parrots(tmp_path)
    session = Session(tmp_path, "run", FRONTDESK_KNOWLEDGE=str(folder))
    session.until("1 added, 0 changed, 0 removed")
    session.until("›")
    (folder / "more.csv").write_text("question,answer\nWho is Otto?,The cat.\n", "utf-8")
    (folder / "torn.csv").write_text("question,answer\nWho is Ida?\n", "utf-8")
    session.until("1 added, 0 changed, 0 removed")
    session.until("torn.csv")
    session.until("the answer is empty")
    session.press("Who is Otto?\r")
    session.until("The cat.")
    session.until("›")
    (folder / "more.csv").write_text("question,answer\nWho is Otto?,Our cat.\n", "utf-8")
    session.until("0 added, 1 changed, 0 removed")
    folder.rename(tmp_path / "elsewhere")
    session.until("there is no such folder")
    session.press("Who is Otto?\r")
    session.until("Our cat.")
    session.until("›")
    session.press("\x03")
    session.press("\x04")
    session.until("Goodbye.")
    assert session.ended() == 0
    assert "Traceback" not in session.paper
    assert session.paper.count("the answer is empty") == 1, "each failure is told once"


def test_what_is_changed_beside_a_chat_goes_through_it(tmp_path: Path) -> None:
    folder = parrots(tmp_path)
    session = Session(tmp_path, "run", FRONTDESK_KNOWLEDGE=str(folder))
    session.until("›")
    done = frontdesk(["kb", "add", "Who is Otto?", "The cat."], tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    session.press("Who is Otto?\r")
    session.until("The cat.")
    session.until("›")
    session.press("\x04")
    session.until("Goodbye.")
    assert session.ended() == 0
    assert not (tmp_path / "frontdesk.db.sock").exists()


def test_piped_questions_are_answered_from_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "kb"
    folder.mkdir()
    (tmp_path / ".env").write_text("FRONTDESK_KNOWLEDGE=kb\n", "utf-8")
    (folder / "faq.csv").write_text("question,answer\nWho is Zara?,Our parrot.\n", "utf-8")
    (folder / "torn.csv").write_text("question,answer\nWho is Ida?\n", "utf-8")
    done = asked(tmp_path)
    assert done.returncode == 0
    assert "Our parrot." in done.stdout
    assert "torn.csv, line 2: the answer is empty" in done.stderr
