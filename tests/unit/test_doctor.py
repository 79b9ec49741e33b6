"""The doctor: what each fact means, and that every sentence it can say exists in both languages."""

import asyncio
import string
from dataclasses import replace

import pytest

from bot.config import Config, HttpConfig, Loaded, ModelConfig, Secret, TelegramConfig
from bot.doctor import (
    FREE_WARN,
    PROBE_SECONDS,
    ChartFacts,
    DatabaseFacts,
    EmbedderFacts,
    Finding,
    Probes,
    SkillFacts,
    SlackFacts,
    StaffFacts,
    TelegramFacts,
    examine,
    exit_status,
    failure,
    of_charts,
    of_clock,
    of_config,
    of_database,
    of_embedder,
    of_knowledge,
    of_skills,
    of_slack,
    of_staff,
    of_telegram,
    render,
    skew_seconds,
    unreadable,
)
from bot.errors import (
    BotError,
    ConfigError,
    ModelBusy,
    ModelRefused,
    ModelUnavailable,
    PlatformLocked,
    StorageError,
)
from bot.i18n import LOCALES, catalogue
from tests.fakes.loop import EPOCH_MS, run_virtual

SERVED = Config(
    telegram=TelegramConfig(token=Secret("1:a")),
    models=(ModelConfig(name="glm", api_key=Secret("k")),),
    admins=frozenset({"telegram:1"}),
)
FILE = DatabaseFacts(
    path="/data/desk.db", writable=True, free=1 << 40, mode=0o600, sqlite=(3, 53, 4)
)
BOT = TelegramFacts(username="desk_bot", reads_all=False)
TEAM = SlackFacts(team="ACME", user="desk", granted=frozenset({"a", "b"}), needed={"a": "asking"})

EMBEDDER = EmbedderFacts(name="e/512", milliseconds=5, texts=9, done=3)


def keys(findings: list[Finding], state: str = "") -> list[str]:
    return [one.found for one in findings if not state or one.state == state]


# --- what facts mean ----------------------------------------------------------------------------


def test_good_facts_are_all_ok() -> None:
    """A healthy desk reads no warning that it would learn to ignore."""
    found = [
        *of_config(Loaded(config=SERVED)),
        *of_database(FILE),
        *of_clock(0.4),
        *of_telegram(BOT),
        *of_slack(TEAM),
        *of_knowledge(3),
    ]
    assert {one.state for one in found} == {"ok"}
    assert exit_status(found) == 0


@pytest.mark.parametrize(
    ("config", "key"),
    [
        (replace(SERVED, telegram=TelegramConfig()), "no_platform"),
        (replace(SERVED, admins=frozenset()), "no_admins"),
        (replace(SERVED, models=()), "no_model"),
        (replace(SERVED, http=HttpConfig(operator="0.0.0.0:8081")), "open_operator"),
        (replace(SERVED, http=HttpConfig(operator="[::]:8081")), "open_operator"),
    ],
)
def test_settings_that_are_seldom_meant_are_pointed_out(config: Config, key: str) -> None:
    """Allowed, so a warning; never a failure."""
    assert keys(of_config(Loaded(config=config)), "warn") == [key]


def test_an_embedder_is_fine_as_long_as_searches_wait_for_it() -> None:
    """Slower than a search waits means that every search is made without it: the operator must
    learn it, though the desk answers.
    """
    assert keys(of_embedder(replace(EMBEDDER, milliseconds=400)), "ok") == ["embedder_ok"]
    assert keys(of_embedder(replace(EMBEDDER, milliseconds=401)), "warn") == ["embedder_slow"]


@pytest.mark.parametrize("operator", ["", "127.0.0.1:8081", "[::1]:8081", "localhost:1"])
def test_a_loopback_or_absent_operators_listener_is_fine(operator: str) -> None:
    """Nobody else can reach it."""
    config = replace(SERVED, http=HttpConfig(operator=operator))
    assert keys(of_config(Loaded(config=config))) == ["config_ok"]


@pytest.mark.parametrize(
    ("url", "warned"),
    [
        ("https://api.z.ai/api/coding/paas/v4", True),
        ("https://open.bigmodel.cn/api/coding", True),
        ("https://api.z.ai/api/paas/v4", False),
        ("https://models.example/coding-helper/v1", False),
    ],
)
def test_the_coding_plans_address_is_warned_of(url: str, warned: bool) -> None:
    """Its terms exclude bots; the name says which model of the chain is meant."""
    model = ModelConfig(name="glm-x", base_url=url, api_key=Secret("k"))
    found = of_config(Loaded(config=replace(SERVED, models=(model,))))
    assert [(one.found, one.about) for one in found if one.state == "warn"] == (
        [("coding_plan", "glm-x")] if warned else []
    )


def test_the_loaders_warnings_are_findings() -> None:
    """What the loader noticed is not lost among the rest."""
    found = of_config(Loaded(config=SERVED, warnings=("MODEL_NAM: unknown",)))
    assert [one.values["problem"] for one in found] == ["MODEL_NAM: unknown"]
    assert found[0].state == "warn"


def test_settings_that_cannot_be_loaded_fail_line_by_line() -> None:
    """Each problem is a finding of its own."""
    found = unreadable(ConfigError("A: expected x\nB: expected y"))
    assert [one.values["problem"] for one in found] == ["A: expected x", "B: expected y"]
    assert exit_status(found) == 1


@pytest.mark.parametrize(
    ("facts", "state", "key"),
    [
        (replace(FILE, writable=False), "fail", "database_unwritable"),
        (replace(FILE, writable=False, full=True, free=9), "fail", "database_full"),
        (replace(FILE, free=FREE_WARN - 1), "warn", "database_low"),
        (replace(FILE, free=FREE_WARN), "ok", "database_ok"),
        (replace(FILE, damage="row 3 missing"), "fail", "database_damaged"),
        (replace(FILE, mode=0o644), "warn", "database_open"),
        (replace(FILE, mode=0o620), "warn", "database_open"),
        (replace(FILE, sqlite=(3, 51, 2)), "warn", "sqlite_old"),
        (replace(FILE, running=True), "ok", "database_running"),
        (replace(FILE, mode=None), "ok", "database_new"),
        (replace(FILE, sqlite=(3, 51, 3)), "ok", "sqlite_ok"),
    ],
)
def test_what_a_database_can_lack(facts: DatabaseFacts, state: str, key: str) -> None:
    """One cause, one finding."""
    assert key in keys(of_database(facts), state)
    assert keys(of_database(facts), "warn") + keys(of_database(facts), "fail") == (
        [] if state == "ok" else [key]
    )


@pytest.mark.parametrize(
    ("ahead", "state"),
    [(0, "ok"), (-4.9, "ok"), (5, "warn"), (-119, "warn"), (120, "fail"), (-9000, "fail")],
)
def test_a_clock_may_err_to_either_side(ahead: float, state: str) -> None:
    """Seconds off, ahead or behind."""
    assert [one.state for one in of_clock(ahead)] == [state]


def test_skew_is_read_from_a_date_header() -> None:
    """Positive when our clock is ahead; an unreadable header tells nothing."""
    date = "Tue, 14 Nov 2023 22:13:20 GMT"  # EPOCH_MS
    assert skew_seconds(date, now=EPOCH_MS + 90_000) == 90
    assert skew_seconds(date, now=EPOCH_MS - 5000) == -5
    assert skew_seconds("yesterday", now=EPOCH_MS) is None


WANTED = "https://desk.example/telegram"


@pytest.mark.parametrize(
    ("facts", "state", "key"),
    [
        (BOT, "ok", "polling_ok"),
        (replace(BOT, webhook=WANTED, expected=WANTED), "ok", "webhook_ok"),
        (replace(BOT, expected=WANTED), "warn", "webhook_missing"),
        (replace(BOT, webhook="https://old.example/s3cret"), "warn", "webhook_foreign"),
        (
            replace(BOT, webhook="https://old.example/s3cret", expected=WANTED),
            "warn",
            "webhook_other",
        ),
        (replace(BOT, last_error="Connection refused"), "warn", "webhook_error"),
        (replace(BOT, pending=100), "warn", "updates_pending"),
        (replace(BOT, reads_all=True), "ok", "privacy_off"),
        (BOT, "ok", "privacy_on"),
    ],
)
def test_what_telegram_tells(facts: TelegramFacts, state: str, key: str) -> None:
    """Updates must come the way the settings say."""
    found = of_telegram(facts)
    assert key in keys(found, state)
    assert "s3cret" not in render(found, "en")


def test_each_missing_scope_names_the_feature_that_does_not_work() -> None:
    """A scope's name alone tells an operator nothing."""
    facts = replace(TEAM, needed={"a": "asking", "files:write": "charts"})
    found = of_slack(facts)
    assert keys(found, "fail") == ["scope_missing"]
    assert "files:write" in render(found, "en")
    assert "charts" in render(found, "en")
    assert "scopes_ok" not in keys(found)


@pytest.mark.parametrize(
    ("error", "state", "advice"),
    [
        (ModelRefused("401"), "fail", "model_refused"),
        (ModelUnavailable("no route"), "fail", "model_failed"),
        (ModelBusy("1302"), "warn", "model_failed"),
    ],
)
def test_a_failed_probe_says_why_and_what_to_do(error: BotError, state: str, advice: str) -> None:
    """Busy passes by itself; refused does not."""
    finding = failure("model", error)
    assert (finding.state, finding.advice) == (state, advice)
    assert finding.values["error"] == str(error)


# --- the whole examination ------------------------------------------------------------------------


async def database() -> DatabaseFacts:
    return FILE


async def entries() -> int:
    return 3


async def broken() -> int:
    raise StorageError("no such table")


async def locked() -> TelegramFacts:
    raise PlatformLocked("Unauthorized")


async def hangs() -> int:
    await asyncio.sleep(3600)
    return 0


async def quick() -> int:
    await asyncio.sleep(1)
    return 850


def test_what_is_not_configured_is_not_spoken_of() -> None:
    """No line about Slack on a desk without Slack."""

    async def main() -> None:
        found = await examine(Loaded(config=SERVED), Probes(database=database, knowledge=entries))
        assert {one.name for one in found} == {"config", "database", "knowledge"}

    run_virtual(main())


def test_one_failing_probe_leaves_the_others_their_word() -> None:
    """The report is whole, in a fixed order, whatever fails; and it fails as a whole."""

    async def main() -> None:
        probes = Probes(
            database=database,
            knowledge=broken,
            telegram=locked,
            models={"slow": hangs, "fast": quick},
        )
        began = asyncio.get_running_loop().time()
        found = await examine(Loaded(config=SERVED), probes)
        assert asyncio.get_running_loop().time() - began <= PROBE_SECONDS + 0.01
        assert [(one.name, one.about, one.state) for one in found] == [
            ("config", "", "ok"),
            ("database", "", "ok"),
            ("database", "", "ok"),
            ("telegram", "", "fail"),
            ("model", "slow", "fail"),
            ("model", "fast", "ok"),
            ("knowledge", "", "fail"),
        ]
        assert exit_status(found) == 1

    run_virtual(main())


# --- the report --------------------------------------------------------------------------------


def everything() -> list[Finding]:
    """Each finding that can be made, by way of the facts that make it."""
    bare = Config(
        http=HttpConfig(operator="0.0.0.0:1"),
        models=(ModelConfig(base_url="https://api.z.ai/api/coding/paas/v4"),),
    )
    poor = replace(
        FILE,
        writable=False,
        mode=0o666,
        sqlite=(3, 40, 1),
        damage="x",
        behind="0002 passages",
        network="nfs",
    )
    other = replace(BOT, webhook="https://a.example/x", reads_all=True)
    found = [
        *of_config(Loaded(config=Config(), warnings=("w",))),
        *of_config(Loaded(config=bare)),
        *of_config(Loaded(config=SERVED)),
        *of_config(Loaded(config=replace(SERVED, admins=frozenset()))),
        *(one for ahead in (0, 9, 999) for one in of_clock(ahead)),
        *of_slack(TEAM),
        *of_slack(replace(TEAM, granted=frozenset())),
        *of_knowledge(0),
        *of_knowledge(1),
        *of_embedder(EMBEDDER),
        *of_embedder(replace(EMBEDDER, milliseconds=401)),
        *of_staff(StaffFacts(name="Staff")),
        *(one for font in (None, "", "Some CJK") for one in of_charts(ChartFacts(letters=font))),
        *of_skills(SkillFacts(names=("haiku",))),
        *of_skills(SkillFacts(names=("haiku",), problems=("skills/haiku.toml, line 2: x",))),
        *unreadable(ConfigError("x")),
    ]
    for database in (
        *(FILE, poor, replace(FILE, running=True), replace(FILE, mode=None)),
        *(replace(FILE, full=True), replace(FILE, free=1)),
    ):
        found += of_database(database)
    for facts in (
        replace(BOT, last_error="e", pending=999),
        other,
        replace(other, expected=WANTED),
        replace(BOT, expected=WANTED),
        replace(BOT, webhook=WANTED, expected=WANTED),
    ):
        found += of_telegram(facts)
    for name in (
        "database",
        "clock",
        "telegram",
        "slack",
        "staff",
        "model",
        "embedder",
        "knowledge",
    ):
        found.append(failure(name, StorageError("e")))
    for name in ("telegram", "slack", "staff", "model", "embedder"):
        found.append(failure(name, PlatformLocked("e")))
    return [*found, Finding(name="model", state="ok", found="model_ok", values={"milliseconds": 1})]


@pytest.mark.parametrize("locale", LOCALES)
def test_every_finding_can_be_said(locale: str) -> None:
    """Whatever is found has its sentence, with every placeholder filled."""
    text = render(everything(), locale)
    assert "{" not in text
    assert text.count("✗") == sum(one.state == "fail" for one in everything())


def test_the_catalogue_has_no_sentence_of_the_doctors_that_is_never_said() -> None:
    """And both languages ask for the same values."""
    said = {key for one in everything() for key in (one.name, one.found, one.advice) if key}
    for locale in LOCALES:
        ours = {
            key.removeprefix("doctor.") for key in catalogue(locale) if key.startswith("doctor.")
        }
        assert ours == said | {"sum"}
    for key in said:
        one, other = (placeholders(locale, key) for locale in LOCALES)
        assert one == other, key


def placeholders(locale: str, key: str) -> set[str]:
    """The names that a sentence is filled with."""
    parts = string.Formatter().parse(catalogue(locale)[f"doctor.{key}"])
    return {name for _, name, _, _ in parts if name}


def test_advice_stands_under_what_it_is_for() -> None:
    """A sign, the finding, then what to do; the sum closes the report."""
    found = [failure("slack", PlatformLocked("invalid_auth")), *of_knowledge(0)]
    lines = render(found, "en").splitlines()
    assert lines[0] == "✗ Slack: invalid_auth"
    assert lines[1].startswith("    → Open api.slack.com/apps")
    assert lines[2].startswith("⚠ Knowledge: ")
    assert lines[-1] == "1 failed, 1 to look at."
