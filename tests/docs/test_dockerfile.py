"""The image's recipe, replayed as far as that goes without a container engine.

Not run here: the base image itself, its layers and users, and the engine's own keywords; see
docs/operator/docker.md for what was replayed by hand.
"""

import fnmatch
import json
import re
import runpy
import sys
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib.util import find_spec
from pathlib import Path
from threading import Thread
from typing import ClassVar

import pytest

from bot.config.table import variables
from bot.service import DRAIN_SECONDS
from bot.stats.draw import EAST_ASIAN

ROOT = Path(__file__).parents[2]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))


def steps(text: str) -> Iterator[tuple[str, str]]:
    """(keyword, rest) of each instruction, continued lines joined, comments left out."""
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    for line in "\n".join(lines).replace("\\\n", " ").splitlines():
        keyword, _, rest = line.partition(" ")
        yield keyword, rest.strip()


STEPS = list(steps((ROOT / "Dockerfile").read_text("utf-8")))
STARTS = [index for index, (keyword, _) in enumerate(STEPS) if keyword == "FROM"]
FINAL = STEPS[STARTS[-1] :]


def only(keyword: str) -> str:
    """The one instruction of this kind in the final stage."""
    (rest,) = [rest for word, rest in FINAL if word == keyword]
    return rest


def environment() -> dict[str, str]:
    return dict(
        pair.split("=", 1) for word, rest in FINAL if word == "ENV" for pair in rest.split()
    )


def copied() -> list[str]:
    """Every source that is copied from the checkout."""
    copies = [rest.split() for word, rest in STEPS if word == "COPY"]
    return [source for words in copies if not words[0].startswith("--") for source in words[:-1]]


def sent(path: str) -> bool:
    """Whether .dockerignore lets this path into the build; the last matching line decides."""
    kept = True
    for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines():
        if not line or line.startswith("#"):
            continue
        pattern = line.removeprefix("!").rstrip("/")
        anywhere = pattern.removeprefix("**/")
        parents = [path, *(str(parent) for parent in Path(path).parents)]
        names = [Path(parent).name for parent in parents]
        tried = names if pattern != anywhere else parents
        if any(fnmatch.fnmatch(one, anywhere) for one in tried):
            kept = line.startswith("!")
    return kept


@pytest.mark.parametrize("source", copied())
def test_every_copied_source_exists_and_reaches_the_build(source: str) -> None:
    """A COPY of what is not there, or is ignored, breaks the build."""
    assert sent(source.rstrip("/"))
    if source == PYPROJECT["project"]["readme"] and not (ROOT / source).exists():
        pytest.skip("the readme is not written yet")
    assert (ROOT / source).exists()


def test_what_the_package_needs_is_copied() -> None:
    """Packages, readme and build hook, as pyproject.toml names them."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    wanted = {
        f"{one}/" for one in project["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    }
    wanted |= {project["project"]["readme"], "pyproject.toml", "requirements/"}
    assert wanted <= set(copied())


@pytest.mark.parametrize(
    "secret", [".env", "bot/.env", "frontdesk.db", "bot/desk.db", ".git/config", "frontdesk.toml"]
)
def test_secrets_of_a_checkout_never_reach_an_image(secret: str) -> None:
    """The build is sent an allow-list."""
    assert not sent(secret)


def test_every_dependency_is_pinned_and_hashed() -> None:
    """`pip --require-hashes` refuses the file otherwise; nothing of an index address in it."""
    command = next(rest for _, rest in STEPS if "-r requirements/run.txt" in rest)
    assert "--require-hashes" in command
    text = (ROOT / "requirements" / "run.txt").read_text("utf-8")
    assert "://" not in text
    lines = [line for line in text.replace("\\\n", " ").splitlines() if re.match(r"[a-z0-9]", line)]
    assert len(lines) > 20
    for line in lines:
        assert re.match(r"[a-z0-9._-]+(\[[a-z0-9,._-]+\])?==\S+ .*--hash=sha256:[0-9a-f]{64}", line)
    assert any(line.startswith("tzdata==") for line in lines)


def test_both_stages_stand_on_one_exactly_tagged_base() -> None:
    """A patch release and a Debian by name; an argument takes the digest."""
    assert [rest.split()[0] for word, rest in STEPS if word == "FROM"] == ["${PYTHON}"] * 2
    (base,) = [rest for word, rest in STEPS if word == "ARG"]
    found = re.fullmatch(
        r"PYTHON=python:(\d+)\.(\d+)\.\d+-slim-[a-z]+(@sha256:[0-9a-f]{64})?", base
    )
    assert found
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    least = [int(part) for part in project["requires-python"].removeprefix(">=").split(".")]
    assert [int(found[1]), int(found[2])] >= least


def test_it_runs_without_root_and_keeps_its_data_in_the_volume() -> None:
    """The user comes before the entry; the database lies in the volume, owned by that user."""
    user = only("USER").split(":")[0]
    assert int(user) > 0
    assert only("VOLUME") == only("WORKDIR") == "/data"
    assert environment()["FRONTDESK_DB"].startswith("/data/")
    assert any(
        f"--owner={user}" in rest and "/data" in rest for word, rest in FINAL if word == "RUN"
    )
    words = [word for word, _ in FINAL]
    assert words.index("USER") < words.index("ENTRYPOINT")


def test_every_variable_it_sets_is_one_the_desk_understands() -> None:
    """And each value is accepted by that setting."""
    ours = {name: text for name, text in environment().items() if name.startswith("FRONTDESK_")}
    assert set(ours) == {"FRONTDESK_DB", "FRONTDESK_HTTP"}
    for name, text in ours.items():
        variables()[name].kind(text)


def test_it_brings_a_font_that_the_picture_finds() -> None:
    """Debian's package, by the name that its font has for who draws; lists of packages go again."""
    (install,) = [rest for word, rest in FINAL if word == "RUN" and "apt-get" in rest]
    assert "--no-install-recommends fonts-wqy-microhei" in install
    assert install.endswith("rm -rf /var/lib/apt/lists/*")
    assert "WenQuanYi Micro Hei" in EAST_ASIAN


def test_the_entry_is_the_projects_own_command() -> None:
    """`frontdesk run`, as pyproject.toml installs it; told to end by what it listens to."""
    (entry,) = json.loads(only("ENTRYPOINT"))
    module, _, name = PYPROJECT["project"]["scripts"][entry].partition(":")
    assert find_spec(module) is not None
    assert name == "main"
    assert json.loads(only("CMD")) == ["run"]
    assert only("STOPSIGNAL") == "SIGTERM"


# --- the health check, really run ----------------------------------------------------------------


class Desk(BaseHTTPRequestHandler):
    """Answers /livez with `status`."""

    status: ClassVar[int] = 200

    def do_GET(self) -> None:
        self.send_response(self.status if self.path == "/livez" else 404)
        self.end_headers()

    def log_message(self, *args: object) -> None:
        pass


def check(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> bool:
    """Run the health check's code; whether it calls the desk healthy."""
    python, option, code = json.loads(only("HEALTHCHECK").partition("CMD ")[2])
    assert (python, option) == ("python", "-c")
    script = tmp_path / "check.py"
    script.write_text(code)
    monkeypatch.setattr(sys, "argv", ["-c"])
    with pytest.raises(SystemExit) as left:
        runpy.run_path(str(script))
    return not left.value.code


@pytest.mark.parametrize(("status", "healthy"), [(200, True), (500, False)])
def test_the_health_check_follows_liveness(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, status: int, healthy: bool
) -> None:
    """On the port that is configured, past any proxy of the environment."""
    monkeypatch.setattr(Desk, "status", status)
    with HTTPServer(("127.0.0.1", 0), Desk) as server:
        Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setenv("FRONTDESK_HTTP", f"0.0.0.0:{server.server_port}")
        monkeypatch.setenv("HTTP_PROXY", "http://192.0.2.1:1")
        assert check(monkeypatch, tmp_path) is healthy
        server.shutdown()


# --- compose and systemd -----------------------------------------------------------------------


def test_compose_leaves_time_to_drain_and_undoes_no_empty_line() -> None:
    """An empty FRONTDESK_HTTP from .env would bind to a loopback nobody can reach."""
    text = (ROOT / "compose.yaml").read_text("utf-8")
    grace = re.search(r"stop_grace_period: (\d+)s", text)
    assert grace
    assert int(grace[1]) > DRAIN_SECONDS
    for name, value in environment().items():
        if name.startswith("FRONTDESK_"):
            assert f"      {name}: {value}\n" in text
    assert "- data:/data" in text
    assert "restart: unless-stopped" in text


def test_systemd_leaves_time_to_drain_and_sets_known_variables() -> None:
    """The unit that the guide tells to install."""
    text = (ROOT / "docs" / "operator" / "frontdesk.service").read_text("utf-8")
    stop = re.search(r"^TimeoutStopSec=(\d+)$", text, re.MULTILINE)
    assert stop
    assert int(stop[1]) > DRAIN_SECONDS
    names = re.findall(r"^Environment=([A-Z_]+)=", text, re.MULTILINE)
    assert names
    assert set(names) <= set(variables())
    assert "\nUser=frontdesk\n" in text
