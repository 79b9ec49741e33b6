"""The command line, as an operator meets it: exit statuses, and words in place of tracebacks."""

from __future__ import annotations

import asyncio
import codecs
import logging
import os
import pty
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from subprocess import PIPE
from typing import Any

import pytest
import structlog

from bot.cli import main
from bot.control import ControlServer, socket_path
from bot.types import value

ROOT = Path(__file__).parents[2]
COMMANDS = ["run", "chat", "kb", "kb import", "kb search", "stats"]


def environ(**more: str) -> dict[str, str]:
    """Of a stranger's machine: no settings of ours."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
    return kept | {"PYTHONPATH": str(ROOT), "LANG": "C.UTF-8"} | more


@value
class Done:
    """What a command left behind."""

    returncode: int
    stdout: str
    stderr: str


Inside = Callable[..., Done]


@pytest.fixture
def inside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Iterator[Inside]:
    """Runs a command in this process: quicker than a new one by half a second."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level

    def command(*words: str, **more: str) -> Done:
        with monkeypatch.context() as patch:
            patch.chdir(tmp_path)
            for name in os.environ:
                if name.startswith(("FRONTDESK_", "TELEGRAM_", "SLACK_", "MODEL_", "LC_")):
                    patch.delenv(name)
            for name, text in ({"LANG": "C.UTF-8"} | more).items():
                patch.setenv(name, text)
            with pytest.raises(SystemExit) as exit_:
                main(words)
        out, errors = capsys.readouterr()
        return Done(returncode=int(exit_.value.code or 0), stdout=out, stderr=errors)

    yield command
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def frontdesk(words: Sequence[str], cwd: Path, *, stdin: bytes = b"", out: int = PIPE) -> Done:
    """Runs a command as a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "bot", *words],
        cwd=cwd,
        env=environ(),
        input=stdin,
        stdout=out,
        stderr=PIPE,
        timeout=50,
        check=False,
    )
    stdout = (done.stdout or b"").decode()
    return Done(returncode=done.returncode, stdout=stdout, stderr=done.stderr.decode())


@pytest.fixture
def shop(tmp_path: Path, inside: Inside) -> Path:
    """A folder with a knowledge base that was taken in."""
    (tmp_path / "kb").mkdir()
    (tmp_path / "kb" / "faq.csv").write_text(
        "question,answer\nWhen are you open?,From nine to five.\n", "utf-8"
    )
    done = inside("kb", "import", "kb")
    assert (done.returncode, done.stderr) == (0, "")
    assert "Entries: 1 added" in done.stdout
    return tmp_path


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_explains_each_command(command: str, inside: Inside) -> None:
    done = inside(*command.split(), "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"Usage: frontdesk {command}".strip() in done.stdout
    assert len(done.stdout.splitlines()) >= 6


def test_the_word_help_shows_what_the_option_shows(inside: Inside) -> None:
    assert inside("help").stdout == inside("--help").stdout
    assert " help " not in inside("help").stdout


@pytest.mark.parametrize("words", [["sing"], ["stats", "--loud"], ["kb", "import", "gone"], ["kb"]])
def test_a_wrong_word_is_status_2_with_usage(words: list[str], inside: Inside) -> None:
    done = inside(*words)
    assert done.returncode == 2
    assert "Usage: frontdesk" in done.stderr + done.stdout
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("words", [["run"], ["chat"], ["stats"], ["kb", "search", "x"]])
def test_wrong_settings_are_status_2_and_named(
    words: list[str], tmp_path: Path, inside: Inside
) -> None:
    (tmp_path / "frontdesk.toml").write_text("[desk]\nanswers = 'perhaps'\n", "utf-8")
    done = inside(*words, TELEGRAM_BOT_TOKEN="s3cret")
    assert done.returncode == 2
    assert "desk.answers: expected one of strict, assist, open" in done.stderr
    assert "TELEGRAM_BOT_TOKEN: expected a token" in done.stderr
    assert "Traceback" not in done.stderr
    assert "s3cret" not in done.stderr


def test_warnings_are_told_and_do_not_stop_anything(shop: Path, inside: Inside) -> None:
    done = inside("stats", FRONTDESK_ADMIN="x")
    assert done.returncode == 0
    assert "Warning: FRONTDESK_ADMIN (environment): unknown; did you mean" in done.stderr


@pytest.mark.parametrize("words", [["stats"], ["kb", "search", "x"]])
def test_without_a_database_reading_says_so(words: list[str], inside: Inside) -> None:
    done = inside(*words)
    assert (done.returncode, done.stdout) == (1, "")
    assert "there is no database" in done.stderr
    assert "Traceback" not in done.stderr


def test_what_was_imported_is_found(shop: Path, inside: Inside) -> None:
    done = inside("kb", "search", "when", "are", "you", "open")
    assert done.returncode == 0
    assert "From nine to five." in done.stdout
    assert "faq.csv" in done.stdout
    again = inside("kb", "import", "kb")
    assert "1 unchanged" in again.stdout


def test_a_file_that_cannot_be_read_is_named_with_status_1(shop: Path, inside: Inside) -> None:
    (shop / "kb" / "broken.jsonl").write_bytes(b'{"question": "x"')
    done = inside("kb", "import", "kb")
    assert done.returncode == 1
    assert "broken.jsonl" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("span", "status", "said"),
    [
        ("today", 0, "Statistics"),
        ("30d", 0, "No requests"),
        ("2026-02-30..2026-03-01", 2, "I don't understand the range"),
        ("2026-03-02..2026-03-01", 2, "must begin before it ends"),
    ],
)
def test_statistics_of_a_range(
    shop: Path, inside: Inside, span: str, status: int, said: str
) -> None:
    done = inside("stats", span)
    assert done.returncode == status
    assert said in done.stdout + done.stderr


@pytest.mark.parametrize(("locale", "row"), [("en", "Asked back"), ("zh", "请对方说明")])
def test_who_was_asked_back_was_declined_nothing(
    shop: Path, inside: Inside, locale: str, row: str
) -> None:
    """It is booked as what it is, and the ways add up to the requests."""
    asked = b"When are you open?\nwhat about the second one\n/sing\n"
    done = frontdesk(["run"], shop, stdin=asked)
    assert "Which one do you mean" in done.stdout, done.stdout
    told = inside("stats", "--lang", locale).stdout.splitlines()
    assert f"{row} · 1 · 33.3%" in told
    assert "#1 · 3" in told  # who has no name, as elsewhere
    names, whole = inside("stats", "--csv").stdout.splitlines()[:2]
    counted = dict(zip(names.split(","), whole.split(","), strict=True))
    fates = [counted[name] for name in ("requests", "answered", "failed", "declined")]
    assert fates == ["3", "2", "0", "1"]
    ways = {name: count for name, count in counted.items() if name.startswith("route_")}
    assert ways == {"route_asked": "1", "route_declined": "1", "route_direct": "1"}


def test_a_failure_speaks_the_desks_language_too(shop: Path, inside: Inside) -> None:
    assert "知识库里没有 none" in inside("kb", "show", "none", FRONTDESK_LOCALE="zh").stderr


def test_statistics_speak_the_desks_language(shop: Path, inside: Inside) -> None:
    assert inside("stats", FRONTDESK_LOCALE="zh").stdout.startswith("统计")
    assert inside("stats", LANG="zh_CN.UTF-8").stdout.startswith("统计")
    assert inside("stats", "--lang", "en", FRONTDESK_LOCALE="zh").stdout.startswith("Stat")
    rows = inside("stats", "7d", "--csv").stdout.lstrip("\ufeff").splitlines()
    assert rows[0].startswith("part,from,requests,")
    assert [row.partition(",")[0] for row in rows[1:]] == ["whole", *["day"] * 7, *["hour"] * 24]


@pytest.mark.parametrize(
    ("question", "source"), [("How do I return an item?", "Source"), ("怎么退货？", "来源")]
)
def test_a_piped_question_is_answered_with_its_source(
    question: str, source: str, tmp_path: Path
) -> None:
    done = frontdesk(["run"], tmp_path, stdin=f"{question}\n".encode())
    assert (done.returncode, done.stderr) == (0, "")
    assert source in done.stdout


@pytest.mark.parametrize(("locale", "said"), [("en", "nobody types"), ("zh", "没有人输入")])
def test_nothing_to_serve_and_nobody_typing_is_status_2(
    tmp_path: Path, locale: str, said: str
) -> None:
    with Path(os.devnull).open("rb") as nothing:
        done = subprocess.run(
            [sys.executable, "-m", "bot", "run"],
            cwd=tmp_path,
            env=environ() | {"FRONTDESK_LOCALE": locale},
            stdin=nothing,
            capture_output=True,
            timeout=50,
            check=False,
        )
    assert done.returncode == 2
    assert b"TELEGRAM_BOT_TOKEN" in done.stderr
    assert said in done.stderr.decode()


def test_a_reader_that_has_gone_is_told_nothing(shop: Path) -> None:
    read, write = os.pipe()
    os.close(read)
    done = frontdesk(["stats"], shop, out=write)
    os.close(write)
    assert (done.returncode, done.stderr) == (1, "")


async def test_importing_is_done_by_the_running_desk(tmp_path: Path) -> None:
    asked: list[str] = []

    async def kb_import(*, path: str) -> dict[str, Any]:
        asked.append(path)
        counts = dict.fromkeys(("files", "unchanged", "added", "changed", "removed"), 7)
        failed = [["cause.empty", "a.csv", 3, [["column", "answer"]]]]
        return counts | {"generation": 1, "failed": failed}

    server = ControlServer(socket_path(str(tmp_path / "frontdesk.db")), {"kb_import": kb_import})
    await server.start()
    done = await asyncio.to_thread(frontdesk, ["kb", "import", "."], tmp_path)
    await server.close()
    assert asked == [str(tmp_path)]
    assert (done.returncode, "Entries: 7 added" in done.stdout) == (1, True)
    assert "a.csv, line 3: the answer is empty" in done.stderr
    assert list_of(tmp_path) == []


def list_of(path: Path) -> list[str]:
    return [one.name for one in path.iterdir()]


def test_the_unexpected_ends_in_words_with_a_reference(tmp_path: Path) -> None:
    script = (
        "import bot.cli, bot.config\n"
        "def broken(*_, **__): raise RuntimeError('never seen')\n"
        "bot.config.load = broken\n"
        "bot.cli.main(['stats'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=tmp_path,
        env=environ(),
        capture_output=True,
        timeout=50,
        check=False,
    )
    assert done.returncode == 1
    last = done.stderr.decode().splitlines()[-1]
    assert last.startswith("Something unexpected went wrong")
    reference = last.rpartition("reference ")[2].rstrip(").")
    assert len(reference) == 8
    assert done.stdout.decode().count(reference) + done.stderr.decode().count(reference) == 2


def test_help_loads_nothing_heavy() -> None:
    script = "import sys, bot.cli; print(*sorted(sys.modules))"
    done = subprocess.run(
        [sys.executable, "-c", script], env=environ(), capture_output=True, check=True, timeout=50
    )
    heavy = {"aiohttp", "structlog", "telegram", "slack_bolt", "rich", "prompt_toolkit", "msgspec"}
    assert not heavy & set(done.stdout.decode().split())


# --- at a real terminal ------------------------------------------------------------------------


class Session:
    """`frontdesk chat` at the other end of a pseudo-terminal."""

    def __init__(self, cwd: Path, *words: str, **settings: str) -> None:
        main, there = pty.openpty()
        self._fd = main
        self.process = subprocess.Popen(
            [sys.executable, "-m", "bot", *words],
            cwd=cwd,
            env=environ(
                TERM="xterm",
                COLUMNS="80",
                LINES="24",
                XDG_STATE_HOME=str(cwd / "state"),
                **settings,
            ),
            stdin=there,
            stdout=there,
            stderr=there,
            start_new_session=True,
        )
        os.close(there)
        self.paper = ""
        self._read = 0
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def until(self, text: str) -> None:
        """Read until this appears, after what was found last; the deadline is the failure."""
        end = time.monotonic() + 30
        while text not in self.paper[self._read :]:
            if time.monotonic() >= end:
                self.process.kill()
                raise AssertionError(self.paper[-2000:])
            if select.select([self._fd], [], [], 0.1)[0]:
                chunk = os.read(self._fd, 65536)
                if b"\x1b[6n" in chunk:  # where is the cursor?
                    os.write(self._fd, b"\x1b[1;1R")
                self.paper += self._decoder.decode(chunk)
        self._read = self.paper.index(text, self._read) + len(text)

    def press(self, keys: str) -> None:
        os.write(self._fd, keys.encode())

    def ended(self) -> int:
        try:
            return self.process.wait(30)
        finally:
            self.process.kill()
            os.close(self._fd)

    def vanished(self) -> int:
        """The exit status after the terminal went away, which tells nobody by a signal here."""
        os.close(self._fd)
        try:
            return self.process.wait(10)
        finally:
            self.process.kill()


@pytest.mark.parametrize("words", [["run"], ["chat"]])
def test_a_terminal_without_tokens_is_a_chat(words: list[str], tmp_path: Path) -> None:
    session = Session(tmp_path, *words)
    session.until("›")
    session.press("How do I return an item?\r")
    session.until("Source")
    session.until(" s")
    session.until("›")
    session.press("\x03")
    session.press("\x04")
    session.until("Goodbye.")
    assert session.ended() == 0
    assert "Traceback" not in session.paper


def test_a_chat_speaks_the_language_of_its_terminal(tmp_path: Path) -> None:
    """Its own words and those of a command, which has no language; a question keeps its own."""
    session = Session(tmp_path, "chat", LANG="zh_CN.UTF-8")
    session.until("请提问")
    session.press("/help\r")
    session.until("我能做什么")
    session.until("›")
    session.press("How do I return an item?\r")
    session.until("Source")
    session.until("›")
    session.press("\x04")
    session.until("再见")
    assert session.ended() == 0


def test_a_signal_ends_piped_waiting_without_a_traceback(tmp_path: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "bot", "run"],
        cwd=tmp_path,
        env=environ(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdin
    assert process.stdout
    process.stdin.write("怎么退货？\n".encode())
    process.stdin.flush()
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode in {0, 130}
    assert b"Traceback" not in errors
