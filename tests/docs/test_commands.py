"""Commands that the documents tell to type: each is run here, or stands in a table with the reason.

A new command in a document fails until it is run by one of the ways below or listed.
"""

import asyncio
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import pytest

from bot.cli import cli
from bot.config import Config, Loaded, ModelConfig, Secret
from bot.desk import build_engine, open_desk
from bot.engine.commands import Command
from bot.i18n import LOCALES, catalogue, say
from bot.types import Place, Sender

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
PAGES = [ROOT / "README.md", ROOT / "README.zh.md", *sorted((ROOT / "docs/operator").glob("*.md"))]
PROGRAMS = frozenset(
    [
        "frontdesk",
        "make",
        "docker",
        "systemctl",
        "systemd-analyze",
        "systemd-run",
        "journalctl",
        "git",
        "ssh",
        "openssl",
        "python",
        "python3",
        "pip",
        "curl",
        "apt-get",
        "chmod",
        "chown",
    ]
)
"""What makes a command of words that stand inside a line."""

NOT_RUN = {
    "cp .env.example .env": "the file exists, see below; nothing else to prove",
    "useradd --system --home-dir /var/lib/frontdesk --shell /usr/sbin/nologin frontdesk": "root",
    "python3 -m venv /opt/frontdesk": "root; the image's steps are replayed in test_dockerfile.py",
    "/opt/frontdesk/bin/pip install --require-hashes -r /opt/frontdesk/src/requirements/run.txt"
    " -r /opt/frontdesk/src/requirements/charts.txt": "root and a package index; files are checked",
    "/opt/frontdesk/bin/pip install --no-deps --no-build-isolation /opt/frontdesk/src": "root",
    "install -D --mode=0600 /opt/frontdesk/src/.env.example /etc/frontdesk/env": "root",
    "install --mode=0644 /opt/frontdesk/src/docs/operator/frontdesk.service"
    " /etc/systemd/system/": "root; the unit is checked in test_dockerfile.py",
    "systemctl daemon-reload": "needs a running systemd",
    "systemctl enable --now frontdesk": "needs a running systemd",
    "systemctl restart frontdesk": "needs a running systemd",
    "systemctl reset-failed frontdesk": "needs a running systemd",
    "systemd-analyze verify": "named without its argument, as what was run by hand",
    "systemd-run --pipe --wait --uid=frontdesk --working-directory=/var/lib/frontdesk"
    " --property=EnvironmentFile=/etc/frontdesk/env /opt/frontdesk/bin/frontdesk doctor":
        "needs a running systemd; its last words are parsed",
    "journalctl --unit frontdesk --output cat": "needs a running systemd",
    "git pull": "needs a remote",
    "docker compose build": "no container engine in tests",
    "docker compose up --detach": "no container engine in tests",
    "docker compose up --detach --build": "no container engine in tests",
    "docker compose run --rm frontdesk doctor": "no container engine; its last words are parsed",
    "docker compose logs --follow": "no container engine in tests",
    "docker compose exec frontdesk frontdesk backup /data/backup.db": "the same",
    "docker compose cp frontdesk:/data/backup.db ./frontdesk-$(date +%F).db": "no container engine",
    'docker compose exec frontdesk python -c "import urllib.request as u;'
    " print(u.urlopen('http://127.0.0.1:8081/metrics').read().decode())\"": "the code is compiled",
    "ssh -L 8081:127.0.0.1:8081 HOST": "needs another machine",
    "openssl rand -hex 32": "another program's; nothing of ours in it",
    "python -m venv": "told of as run by hand",
    "pip install --require-hashes --only-binary :all:": "told of as run by hand",
    ".venv/bin/pip install --require-hashes -r requirements/local.txt": "a package index",
    "chown 10001:10001": "root, and named without a path",
    "make test": "this very suite",
    "make soak": "the long proof; the target exists, see below",
    "make bench": "a measurement; the target exists, see below",
    "make lock": "needs a package index; the target exists, see below",
    "make check": "run by .ci/run; the target exists, see below",
    "python -m bench retrieval": "a measurement; its word is known, see below",
}  # fmt: skip
"""Every command that is not run here, with the reason; what can be looked at, is."""


@dataclass(frozen=True)
class Told:
    """A command, where it stands, and what the page shows as its output."""

    page: str
    text: str
    shown: str = ""


def told() -> list[Told]:
    """All commands of all pages, in order."""
    return [one for page in PAGES for one in _of(page.name, page.read_text("utf-8"))]


def _of(page: str, text: str) -> Iterator[Told]:
    fence = re.compile(r"^[ ]*```(\w*)\n(.*?)^[ ]*```$", re.MULTILINE | re.DOTALL)
    for found in fence.finditer(text):
        if found[1] == "sh":
            yield from (Told(page, one) for one in _lines(found[2]))
        elif found[1] == "console":
            command, _, shown = found[2].removeprefix("$ ").partition("\n")
            yield Told(page, command, shown)
    for words in re.findall(r"`([^`\n]+)`", fence.sub("", text)):
        if words.split()[0] in PROGRAMS and len(words.split()) > 1:
            yield from (Told(page, one) for one in words.split(" && "))


def _lines(block: str) -> Iterator[str]:
    """Commands of a block: continued lines joined, comments and settings of .env left out."""
    for line in re.sub(r" *\\\n\s*", " ", block).splitlines():
        bare = re.sub(r"\s+#.*$", "", line).strip()
        if bare and not re.match(r"^[A-Z][A-Z_]+=", bare):
            yield bare


COMMANDS = told()


def runs(command: str) -> bool:
    """It is `frontdesk …` with its arguments, or `make run`."""
    words = command.split()
    return words[0].rpartition("/")[2] == "frontdesk" or command.endswith("make run")


def test_there_are_commands_to_run() -> None:
    """The pages are read as people read them: some of each kind is found."""
    assert len(COMMANDS) > 60
    assert {one.page for one in COMMANDS} >= {page.name for page in PAGES} - {"http.md"}
    assert sum(runs(one.text) for one in COMMANDS) > 20


def test_every_command_is_run_or_listed_with_its_reason() -> None:
    """And nothing is listed that stands in no page any more."""
    rest = {one.text for one in COMMANDS if not runs(one.text)}
    assert rest == set(NOT_RUN)


def test_no_command_hides_in_an_indented_block() -> None:
    """Only fences are read."""
    for page in PAGES:
        text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
        assert not re.search(r"\n\n {4}\S", text), page.name


@pytest.mark.parametrize("command", sorted({one.text for one in COMMANDS}))
def test_every_command_is_one_a_shell_can_read(command: str) -> None:
    subprocess.run(["bash", "-n", "-c", command], check=True)


# --- run -----------------------------------------------------------------------------------------

EXAMPLES = {
    "frontdesk backup …": "frontdesk backup ./again.db",
    "frontdesk kb explain": 'frontdesk kb explain "How do I return an item?"',
    "frontdesk forget WHO": "frontdesk forget --yes '#1'",
    "frontdesk restore": "frontdesk restore /backups/frontdesk-2026-01-31.db",
    "frontdesk run": "echo hi | frontdesk run",
}
"""What is told in short, with an argument."""


def _sandbox(folder: Path) -> dict[str, str]:
    """An environment with nothing of this machine's desk in it."""
    return {
        "PATH": f"{BIN}:/usr/bin:/bin",
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(ROOT),
    }


def _shell(command: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """In a shell, in a folder of its own, with /backups in it."""
    (folder / "backups").mkdir(exist_ok=True)
    text = command.replace("/backups/", f"{folder}/backups/")
    text = text.replace("make run", "frontdesk run").replace(".venv/bin/", "")
    return subprocess.run(
        ["bash", "-c", text],
        cwd=folder,
        env=_sandbox(folder),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


async def _stock(database: Path) -> None:
    async with open_desk(Loaded(config=Config()), database=str(database)) as desk:
        place = Place(platform="telegram", account="1", channel="7", private=True)
        await desk.stores.people.person(place, Sender(user="7", name="Ann"))
        await desk.knowledge.import_folder(ROOT / "bot/samples/shop")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A desk's folder with a database that knows something, and a backup of it."""
    folder = tmp_path_factory.mktemp("told")
    asyncio.run(_stock(folder / "frontdesk.db"))
    backups = folder / "backups"
    backups.mkdir()
    (backups / "frontdesk-2026-01-31.db").write_bytes((folder / "frontdesk.db").read_bytes())
    return folder


TIMING = re.compile(r"^\d.*(?:first text|首字).*$", re.MULTILINE)
"""The line under an answer, which is another one each time."""
NONE_SUCH = tuple(say("en", f"operator.{key}", number=17) for key in ("no_letter", "not_requeued"))
"""The number in the pages is an example: that there is none is said so, and is no crash."""


@pytest.mark.soak
@pytest.mark.parametrize(
    "command",
    sorted(
        {
            one.text.removeprefix(".venv/bin/")
            for one in COMMANDS
            if runs(one.text) and not one.text.endswith("make run")
        }
    ),
)
def test_every_frontdesk_command_does_what_it_is_told_to(command: str, shop: Path) -> None:
    """Really run, on a database in a folder of its own."""
    done = _shell(EXAMPLES.get(command, command), shop)
    said = done.stdout + done.stderr
    assert "Traceback" not in said
    assert done.returncode == 0 or any(one in said for one in NONE_SUCH), said


@pytest.mark.parametrize(
    "shown", [one for one in COMMANDS if one.shown], ids=lambda one: f"{one.page} {one.text}"
)
def test_what_a_page_shows_is_what_comes(shown: Told, tmp_path: Path) -> None:
    """Questions typed or piped; the texts word for word, line breaks and times as they may be."""
    if "|" in shown.text:
        done = _shell(shown.text, tmp_path)
        assert _plain(done.stdout) == _plain(shown.shown)
        return
    turns = re.split(r"^(?:You|您) › ", shown.shown, flags=re.MULTILINE)[1:]
    questions = [turn.partition("\n")[0] for turn in turns]
    assert len(questions) == 3
    typed = "\n".join(questions)
    done = _shell(f"printf '%s\\n' {shlex.quote(typed)} | frontdesk run", tmp_path)
    for turn in turns:
        answer = TIMING.sub("", turn.partition("\n")[2])
        assert _plain(answer) in _plain(done.stdout)


def _plain(text: str) -> str:
    return " ".join(text.split())


# --- looked at -----------------------------------------------------------------------------------


def test_every_make_target_that_is_told_of_exists() -> None:
    """`make -n` reads the Makefile and knows the target; it does nothing."""
    targets = {one.text.split()[-1] for one in COMMANDS if re.search(r"\bmake \w+$", one.text)}
    assert targets >= {"run", "test", "check", "soak", "bench", "lock"}
    for target in targets:
        subprocess.run(["make", "-n", target], cwd=ROOT, check=True, capture_output=True)


def test_every_file_of_the_checkout_that_is_told_of_exists() -> None:
    for one in COMMANDS:
        for path in re.findall(r"/opt/frontdesk/src/(\S+)", one.text):
            assert (ROOT / path).exists(), one.text
    assert (ROOT / ".env.example").exists()
    assert 'service, "frontdesk"' not in (ROOT / "compose.yaml").read_text()
    assert "\n  frontdesk:\n" in (ROOT / "compose.yaml").read_text()


@pytest.mark.parametrize(
    "command",
    [
        one
        for one in NOT_RUN
        if one.startswith(
            ("docker compose run", "docker compose exec frontdesk frontdesk", "systemd-run")
        )
    ],
)
def test_what_a_container_or_unit_runs_is_a_command_of_ours(command: str) -> None:
    """The words behind the service's name, read as the command line reads them."""
    words = re.split(r"frontdesk(?= (?:doctor|backup))", command)[-1].split()
    group: click.Command = cli
    while isinstance(group, click.Group):
        found = group.get_command(click.Context(group), words.pop(0))
        assert found is not None
        group = found
    group.make_context("frontdesk", words).close()


def test_code_inside_of_commands_compiles() -> None:
    for one in COMMANDS:
        if " -c " in one.text:
            compile(shlex.split(one.text)[-1], one.page, "exec")


def test_the_benchmark_that_is_told_of_exists() -> None:
    assert (ROOT / "bench" / "retrieval.py").exists()


# --- words in chat -------------------------------------------------------------------------------

THEIRS = {
    "newbot": "BotFather", "setprivacy": "BotFather", "setdescription": "BotFather",
    "setabouttext": "BotFather", "setuserpic": "BotFather", "setjoingroups": "BotFather",
    "revoke": "BotFather", "invite": "Slack", "ask": "the manifest", "frontdesk": "the manifest",
}  # fmt: skip
"""Words with a slash that are not of the desk's own table, and whose they are."""
PATHS = {"livez", "readyz", "metrics", "data", "tmp", "telegram", "opt", "etc", "var", "7"}
"""First parts of paths, of the web and of disks."""


async def table() -> dict[str, Command]:
    """The words of a desk as it is shipped, with a model: without one it shows no skills."""
    config = Config(models=(ModelConfig(api_key=Secret("key")),))
    async with open_desk(Loaded(config=config), database=":memory:") as desk:
        _, commands = await build_engine(desk)
        return commands.table


def words(page: Path) -> set[str]:
    """What stands as /word in code."""
    found = re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL))
    return {one for text in found for one in re.findall(r"(?:^|\s)/([a-z0-9]+)", text)}


async def test_every_word_that_is_told_of_is_in_the_table_and_said_in_both_languages() -> None:
    """What begins with a slash is a command of the desk, another program's, or a path."""
    known = await table()
    for page in PAGES:
        for word in words(page) - set(THEIRS) - PATHS:
            assert word in known, f"/{word} in {page.name}"
            for locale in LOCALES:
                said = known[word].about.get(locale) or catalogue(locale).get(f"command.{word}")
                assert said or not known[word].listed, f"/{word} in {locale}"


@pytest.mark.parametrize("name", ["README.md", "README.zh.md"])
async def test_both_readmes_tell_of_every_word_that_the_menu_shows(name: str) -> None:
    shown = {word for word, command in (await table()).items() if command.listed}
    assert shown <= words(ROOT / name)
