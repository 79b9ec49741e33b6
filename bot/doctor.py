"""Examines a desk before and while it runs: what is fine, what is not, and what to click.

Facts come from probes that the app provides; what they mean is decided here, without I/O.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import field, replace
from email.utils import parsedate_to_datetime
from typing import Literal, TypeVar
from urllib.parse import urlsplit

from bot.config import Config, Loaded, ModelConfig
from bot.errors import (
    BotError,
    ConfigError,
    MessageGone,
    ModelBusy,
    ModelRefused,
    NotWelcome,
    PlatformBusy,
    PlatformLocked,
    StorageBusy,
)
from bot.i18n import say
from bot.i18n.retold import retold
from bot.types import Scalar, value

T = TypeVar("T")

State = Literal["ok", "warn", "fail"]

PROBE_SECONDS = 30.0
"""A model that thinks may need most of it for one word."""
SKEW_WARN, SKEW_FAIL = 5.0, 120.0
"""Seconds. Slack refuses what is 5 min off, and a GLM token lives for 210 s."""
SQLITE_WANTED = (3, 51, 3)
"""The first version without the WAL-reset bug (sqlite.org/wal.html)."""
EMBEDDER_MS = 400
"""After which a search does without it."""
FREE_WARN = 256 << 20
"""Bytes left on the disk; the write-ahead log alone may take 64 MiB of them."""
PENDING_WARN = 100
"""So many updates waiting at Telegram mean that nobody takes them."""
CODING_PATH = "/api/coding/"
"""The address of Zhipu's coding plan, whose terms exclude bots (docs.z.ai, error 1313)."""

_SIGNS: Mapping[State, str] = {"ok": "✓", "warn": "⚠", "fail": "✗"}


@value
class Finding:
    """One thing looked at. `found` and `advice` are catalogue keys; `advice` "" asks for nothing.

    `name` is a catalogue key too; `about` tells apart what there may be several of.
    """

    name: str
    state: State
    found: str
    values: Mapping[str, Scalar] = field(default_factory=dict)
    advice: str = ""
    about: str = ""

    def say(self, key: str, locale: str) -> str:
        """What was found, or the advice, in a sentence."""
        values = dict(self.values)
        if isinstance(problem := values.get("problem"), str):
            values["problem"] = retold(problem, locale)
        return say(locale, f"doctor.{key}", **values)


# --- the facts ---------------------------------------------------------------------------------


@value
class DatabaseFacts:
    """The file and the library. `mode` is its permission bits; None: there is no file yet.

    `writable`: a trial was written beside it. `full`: the disk had no room for one; `free` bytes
    are left on it. `running`: a desk holds the lock. `damage` is what a quick check said, "" when
    all is well. `behind` names the first migration that the file still needs, "" for none;
    `network` the network filesystem that it lies on, "" for none.
    """

    path: str
    writable: bool
    mode: int | None
    sqlite: tuple[int, int, int]
    running: bool = False
    full: bool = False
    free: int = 0
    damage: str = ""
    behind: str = ""
    network: str = ""


@value
class TelegramFacts:
    """What getMe and getWebhookInfo say. `reads_all` is can_read_all_group_messages.

    `expected` is the address this desk's webhook would have; "" in polling mode.
    """

    username: str
    reads_all: bool
    webhook: str = ""
    expected: str = ""
    pending: int = 0
    last_error: str = ""


@value
class SlackFacts:
    """What auth.test says. `needed` maps each scope to the feature that is missing without it."""

    team: str
    user: str
    granted: frozenset[str]
    needed: Mapping[str, str]


@value
class EmbedderFacts:
    """The embedder was asked for one question; `done` of `texts` texts have their vector."""

    name: str
    milliseconds: int
    texts: int
    done: int


@value
class StaffFacts:
    """The place where staff are, as the platform calls it; we can write there."""

    name: str


@value
class ChartFacts:
    """The picture of /stats. `letters`: the font for Chinese labels, "" for none; None: no picture
    can be drawn here.
    """

    letters: str | None


@value
class SkillFacts:
    """The operator's own skills: their names, and a line for each file that is wrong."""

    names: tuple[str, ...]
    problems: tuple[str, ...] = ()


Probe = Callable[[], Awaitable[T]]


@value
class Probes:
    """How to learn the facts; None where that part is not configured. Each may raise BotError.

    `skew` gives the seconds by which our clock is ahead (see `skew_seconds`); `models` sends one
    short request to each and gives the milliseconds it took, by the model's name.
    """

    database: Probe[DatabaseFacts]
    knowledge: Probe[int]
    skew: Probe[float] | None = None
    telegram: Probe[TelegramFacts] | None = None
    slack: Probe[SlackFacts] | None = None
    staff: Probe[StaffFacts] | None = None
    embedder: Probe[EmbedderFacts] | None = None
    models: Mapping[str, Probe[int]] = field(default_factory=dict)
    skills: Probe[SkillFacts] | None = None
    charts: Probe[ChartFacts] | None = None


def skew_seconds(date: str, *, now: int) -> float | None:
    """How far `now` (ms) is ahead of an HTTP Date header; None for one that is no date.

    The header has whole seconds, so anything below one is noise.
    """
    try:
        return now / 1000 - parsedate_to_datetime(date).timestamp()
    except ValueError:
        return None


# --- the examination ------------------------------------------------------------------------------


async def examine(loaded: Loaded, probes: Probes) -> list[Finding]:
    """Every finding, in the order of the parts. Probes run at once, each within PROBE_SECONDS."""
    parts = [_ask("database", probes.database, of_database)]
    if probes.skew is not None:
        parts.append(_ask("clock", probes.skew, of_clock))
    if probes.telegram is not None:
        parts.append(_ask("telegram", probes.telegram, of_telegram))
    if probes.slack is not None:
        parts.append(_ask("slack", probes.slack, of_slack))
    if probes.staff is not None:
        parts.append(_ask("staff", probes.staff, of_staff))
    parts += [_ask("model", probe, of_model, about=name) for name, probe in probes.models.items()]
    if probes.embedder is not None:
        parts.append(_ask("embedder", probes.embedder, of_embedder))
    parts.append(_ask("knowledge", probes.knowledge, of_knowledge))
    if probes.skills is not None:
        parts.append(_ask("skills", probes.skills, of_skills))
    if probes.charts is not None:
        parts.append(_ask("charts", probes.charts, of_charts))
    answers = await asyncio.gather(*parts)
    return [*of_config(loaded), *(finding for found in answers for finding in found)]


async def _ask(
    name: str, probe: Probe[T], judge: Callable[[T], Iterable[Finding]], *, about: str = ""
) -> list[Finding]:
    """What follows from one probe's facts, or from its failure."""
    try:
        async with asyncio.timeout(PROBE_SECONDS):
            facts = await probe()
    except TimeoutError:
        found = failure(name, BotError(f"no answer within {PROBE_SECONDS:.0f} s"))
        return [_about(found, about)]
    except BotError as error:
        return [_about(failure(name, error), about)]
    return [_about(one, about) for one in judge(facts)]


def _about(finding: Finding, about: str) -> Finding:
    return replace(finding, about=about)


def failure(name: str, error: BotError) -> Finding:
    """A probe that raised: a part that does not work, or is only busy just now."""
    refused = isinstance(error, ModelRefused | PlatformLocked | NotWelcome | MessageGone)
    busy = isinstance(error, ModelBusy | PlatformBusy | StorageBusy)
    return Finding(
        name=name,
        state="warn" if busy else "fail",
        found="failed",
        values={"error": str(error)},
        advice=f"{name}_refused" if refused else f"{name}_failed",
    )


def unreadable(error: ConfigError) -> list[Finding]:
    """The findings when the settings themselves cannot be loaded: one for each problem."""
    return [
        Finding(name="config", state="fail", found="setting", values={"problem": line})
        for line in str(error).splitlines()
    ]


# --- what the facts mean ------------------------------------------------------------------------


def of_config(loaded: Loaded) -> list[Finding]:
    """Warnings of the loader, and settings that are allowed but seldom meant."""
    config = loaded.config
    found = [
        Finding(name="config", state="warn", found="setting", values={"problem": text})
        for text in loaded.warnings
    ]
    found += [_warn("config", key) for key, odd in _oddities(config).items() if odd]
    found += [
        _about(_warn("model", "coding_plan", url=model.base_url), model.name)
        for model in config.models
        if _coding(model)
    ]
    return found or [Finding(name="config", state="ok", found="config_ok")]


def _oddities(config: Config) -> dict[str, bool]:
    """Catalogue keys (advice has the same with `_do`) and whether they hold."""
    served = bool(config.telegram.token or config.slack.bot_token)
    return {
        "no_platform": not served,
        "no_admins": served and not config.admins,
        "no_model": not config.models,
        "open_operator": bool(config.http.operator) and not _loopback(config.http.operator),
    }


def _coding(model: ModelConfig) -> bool:
    return CODING_PATH in urlsplit(model.base_url).path + "/"


def _loopback(address: str) -> bool:
    host = address.rpartition(":")[0].strip("[]")
    return host in {"localhost", "::1"} or host.startswith("127.")


def of_database(facts: DatabaseFacts) -> list[Finding]:
    """Whether it can be written, is nobody else's to read, is whole, and by which SQLite."""
    found = [_database_file(facts)]
    if facts.writable and facts.free < FREE_WARN:
        found.append(_warn("database", "database_low", path=facts.path, free=_size(facts.free)))
    if facts.mode is not None and facts.mode & 0o077:
        mode = f"{facts.mode & 0o777:o}"
        found.append(_warn("database", "database_open", path=facts.path, mode=mode))
    if facts.damage:
        found.append(_fail("database", "database_damaged", damage=facts.damage))
    if facts.behind:
        found.append(_warn("database", "database_behind", migration=facts.behind))
    if facts.network:
        found.append(_warn("database", "database_network", path=facts.path, kind=facts.network))
    version = ".".join(map(str, facts.sqlite))
    if facts.sqlite < SQLITE_WANTED:
        wanted = ".".join(map(str, SQLITE_WANTED))
        found.append(_warn("database", "sqlite_old", version=version, wanted=wanted))
    else:
        found.append(_ok("database", "sqlite_ok", version=version))
    return found


def _database_file(facts: DatabaseFacts) -> Finding:
    about = {"path": facts.path, "free": _size(facts.free)}
    if facts.full:
        return _fail("database", "database_full", **about)
    if not facts.writable:
        return _fail("database", "database_unwritable", path=facts.path)
    if facts.running:
        return _ok("database", "database_running", **about)
    return _ok("database", "database_new" if facts.mode is None else "database_ok", **about)


def _size(count: int) -> str:
    """Bytes as disks are sold: GB where there is one, else MB."""
    return f"{count / 1e9:.1f} GB" if count >= 1e9 else f"{count / 1e6:.1f} MB"


def of_clock(ahead: float) -> list[Finding]:
    """Our clock against somebody else's."""
    off = {"seconds": round(abs(ahead))}
    if abs(ahead) >= SKEW_FAIL:
        return [_fail("clock", "clock_off", **off)]
    if abs(ahead) >= SKEW_WARN:
        return [_warn("clock", "clock_off", **off)]
    return [_ok("clock", "clock_ok")]


def of_telegram(facts: TelegramFacts) -> list[Finding]:
    """The bot, what it may read in groups, and how its updates come."""
    found = [
        _ok("telegram", "telegram_ok", username=facts.username),
        _privacy(facts),
        _delivery(facts),
    ]
    if facts.last_error:
        found.append(_warn("telegram", "webhook_error", error=facts.last_error))
    if facts.pending >= PENDING_WARN:
        found.append(_warn("telegram", "updates_pending", count=facts.pending))
    return found


def _privacy(facts: TelegramFacts) -> Finding:
    """With privacy mode on commands and replies arrive for certain, plain mentions may not."""
    if facts.reads_all:
        return _ok("telegram", "privacy_off")
    return Finding(name="telegram", state="ok", found="privacy_on", advice="privacy_on_do")


def _delivery(facts: TelegramFacts) -> Finding:
    """The webhook that is set against the one that is wanted."""
    if facts.webhook == facts.expected:
        return _ok("telegram", "webhook_ok" if facts.expected else "polling_ok")
    host = urlsplit(facts.webhook).netloc  # the path may be somebody's secret
    if not facts.expected:
        return _warn("telegram", "webhook_foreign", host=host)
    if not facts.webhook:
        return _warn("telegram", "webhook_missing", url=facts.expected)
    return _warn("telegram", "webhook_other", host=host, url=facts.expected)


def of_slack(facts: SlackFacts) -> list[Finding]:
    """The workspace, and each feature whose scope is missing."""
    missing = {scope: use for scope, use in facts.needed.items() if scope not in facts.granted}
    found = [_ok("slack", "slack_ok", team=facts.team, user=facts.user)]
    found += [_fail("slack", "scope_missing", scope=scope, use=missing[scope]) for scope in missing]
    return found if missing else [*found, _ok("slack", "scopes_ok", count=len(facts.needed))]


def of_staff(facts: StaffFacts) -> list[Finding]:
    """Where tickets and the digest go."""
    return [_ok("staff", "staff_ok", name=facts.name)]


def of_model(milliseconds: int) -> list[Finding]:
    """It answered."""
    return [_ok("model", "model_ok", milliseconds=milliseconds)]


def of_embedder(facts: EmbedderFacts) -> list[Finding]:
    """Whether it answers in the time that a question is given."""
    if facts.milliseconds > EMBEDDER_MS:
        return [
            _warn(
                "embedder",
                "embedder_slow",
                model=facts.name,
                milliseconds=facts.milliseconds,
                most=EMBEDDER_MS,
            )
        ]
    return [
        _ok(
            "embedder",
            "embedder_ok",
            model=facts.name,
            milliseconds=facts.milliseconds,
            done=facts.done,
            of=facts.texts,
        )
    ]


def of_knowledge(entries: int) -> list[Finding]:
    """Whether there is anything to answer from."""
    if not entries:
        return [_warn("knowledge", "knowledge_empty")]
    return [_ok("knowledge", "knowledge_ok", entries=entries)]


def of_skills(facts: SkillFacts) -> list[Finding]:
    """With a wrong file the desk does not start."""
    if not facts.problems:
        return [_ok("skills", "skills_ok", names=", ".join(facts.names))]
    return [_fail("skills", "skills_wrong", problem=problem) for problem in facts.problems]


def of_charts(facts: ChartFacts) -> list[Finding]:
    """Nothing that anything else depends on: text and tables are there without a picture."""
    if facts.letters:
        return [_ok("charts", "charts_ok", font=facts.letters)]
    found = "charts_none" if facts.letters is None else "charts_plain"
    return [Finding(name="charts", state="ok", found=found, advice=f"{found}_do")]


def _ok(name: str, found: str, /, **values: Scalar) -> Finding:
    return Finding(name=name, state="ok", found=found, values=values)


def _warn(name: str, found: str, **values: Scalar) -> Finding:
    return Finding(name=name, state="warn", found=found, values=values, advice=f"{found}_do")


def _fail(name: str, found: str, **values: Scalar) -> Finding:
    return Finding(name=name, state="fail", found=found, values=values, advice=f"{found}_do")


# --- the report ---------------------------------------------------------------------------------


def render(findings: Sequence[Finding], locale: str) -> str:
    """Lines for a terminal: a sign, what was found, and under it what to do; a sum at the end."""
    lines: list[str] = []
    for one in findings:
        name = say(locale, f"doctor.{one.name}") + (f" {one.about}" if one.about else "")
        lines.append(f"{_SIGNS[one.state]} {name}: {one.say(one.found, locale)}")
        if one.advice:
            lines.append(f"    → {one.say(one.advice, locale)}")
    failed = sum(one.state == "fail" for one in findings)
    warned = sum(one.state == "warn" for one in findings)
    lines += ["", say(locale, "doctor.sum", failed=failed, warned=warned)]
    return "\n".join(lines)


def exit_status(findings: Iterable[Finding]) -> int:
    """1 when anything fails; warnings alone are 0."""
    return int(any(one.state == "fail" for one in findings))
