"""Settings: each from each source, in order, and refused in words that name the place."""

from __future__ import annotations

import re
import tomllib
from functools import reduce
from pathlib import Path
from typing import Any

import pytest

from bot.config import Config, Loaded, ModelConfig, Secret, load
from bot.config.load import FILE
from bot.config.table import MODEL, SETTINGS, Setting, variables
from bot.errors import ConfigError
from bot.i18n import LOCALES
from bot.types import Place

TOKEN = "123456:AAtelegram"

# path: (in the file, as a variable or None where there is none, what Config then holds)
CASES: dict[str, tuple[object, str | None, object]] = {
    "desk.name": ("Shop", None, "Shop"),
    "desk.greeting": ("Hi!", None, "Hi!"),
    "desk.persona": ("Calm.", None, "Calm."),
    "desk.contact": ("Call 1", None, "Call 1"),
    "desk.locale": ("zh", "zh", "zh"),
    "desk.timezone": ("Asia/Kolkata", "Asia/Kolkata", "Asia/Kolkata"),
    "desk.answers": ("strict", "Strict", "strict"),
    "desk.currency": ("cny", None, "CNY"),
    "desk.history_turns": (4, None, 4),
    "desk.busy": ("interrupt", None, "interrupt"),
    "desk.concurrent": (7, None, 7),
    "desk.digest": ("9:05", None, "09:05"),
    "telegram.token": (TOKEN, TOKEN, Secret(TOKEN)),
    "telegram.api_root": ("http://127.0.0.1:1/", "http://127.0.0.1:1", "http://127.0.0.1:1"),
    "telegram.pace": ("off", "off", "off"),
    "telegram.mode": ("webhook", "webhook", "webhook"),
    "telegram.streaming": ("drafts", "drafts", "drafts"),
    "telegram.webhook_secret": ("a_B-1", "a_B-1", Secret("a_B-1")),
    "slack.bot_token": ("xoxb-1", "xoxb-1", Secret("xoxb-1")),
    "slack.app_token": ("xapp-1", "xapp-1", Secret("xapp-1")),
    "slack.signing_secret": ("abc", "abc", Secret("abc")),
    "slack.api_root": ("http://127.0.0.1:2", "http://127.0.0.1:2/", "http://127.0.0.1:2/"),
    "slack.mode": ("socket", "socket", "socket"),
    "slack.streaming": ("edits", "edits", "edits"),
    "knowledge.folder": (".", ".", "{cwd}"),
    "knowledge.watch": ("false", None, False),
    "knowledge.file_max_bytes": (9, None, 9),
    "embedder.kind": ("local", "Local", "local"),
    "embedder.base_url": ("http://e/v1", "http://e/v1/", "http://e/v1"),
    "embedder.api_key": ("ekey", "ekey", Secret("ekey")),
    "embedder.name": ("bge-m3", "bge-m3", "bge-m3"),
    "embedder.dimensions": (0, None, 0),
    "http.public": ("0.0.0.0:80", "0.0.0.0:80", "0.0.0.0:80"),
    "http.operator": ("off", "off", ""),
    "http.public_url": ("https://x.example/", "https://x.example", "https://x.example"),
    "http.admin_url": ("https://a.example/", "https://a.example", "https://a.example"),
    "access.entry": ("listed", None, "listed"),
    "access.allow": (["telegram:5", "slack:T1/U2"], None, frozenset({"telegram:5", "slack:T1/U2"})),
    "access.block": (["telegram:6"], None, frozenset({"telegram:6"})),
    "access.person_per_minute": (3, "3", 3),
    "access.chat_per_minute": (4, None, 4),
    "access.person_per_day": (5, None, 5),
    "access.person_tokens_per_day": (6, None, 6),
    "access.tokens_per_day": (7, None, 7),
    "access.cost_per_day": (1.5, None, 1.5),
    "access.spent": ("stop", None, "stop"),
    "privacy.mask": (["email", "id"], None, frozenset({"email", "id"})),
    "privacy.history_days": (8, None, 8),
    "privacy.done_days": (9, None, 9),
    "privacy.dead_days": (10, None, 10),
    "skills": (".", ".", "{cwd}"),
    "database": ("a.db", "a.db", "{cwd}/a.db"),
    "admins": (["telegram:1"], "telegram:1, ", frozenset({"telegram:1"})),
    "staff": (
        "slack:T1/C042",
        "slack:T1/C042",
        Place(platform="slack", account="T1", channel="C042"),
    ),
    "models[0].name": ("glm-5", "glm-5", "glm-5"),
    "models[0].base_url": ("http://m/v1", "http://m/v1/", "http://m/v1"),
    "models[0].api_key": ("key", "key", Secret("key")),
    "models[0].api_secret": ("s", "s", None),
    "models[0].auth": ("bearer", "bearer", "bearer"),
    "models[0].temperature": (1, None, 1.0),
    "models[0].max_tokens": (5, None, 5),
    "models[0].thinking": ("default", None, None),
    "models[0].concurrency": (2, None, 2),
    "models[0].requests_per_minute": (60, None, 60),
    "models[0].tokens_per_minute": (90000, None, 90000),
    "models[0].context_tokens": (900, None, 900),
    "models[0].price_input": (0.5, None, 0.5),
    "models[0].price_cached": (0, None, 0.0),
    "models[0].price_output": (2, None, 2.0),
    "models[0].currency": ("EUR", None, "EUR"),
}

# What must stand beside a setting for the whole to be sound.
BESIDE = {
    "staff": {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_APP_TOKEN": "xapp-1"},
    "telegram.mode": {
        "TELEGRAM_WEBHOOK_SECRET": "s",
        "PUBLIC_URL": "https://x.example",
        "TELEGRAM_BOT_TOKEN": TOKEN,
    },
    "slack.bot_token": {"SLACK_APP_TOKEN": "xapp-2"},
    "slack.mode": {"SLACK_BOT_TOKEN": "xoxb-2", "SLACK_APP_TOKEN": "xapp-2"},
    "slack.streaming": {"SLACK_BOT_TOKEN": "xoxb-2", "SLACK_APP_TOKEN": "xapp-2"},
    "models[0].name": {"MODEL_API_KEY": "other"},
    "models[0].api_secret": {"MODEL_API_KEY": "id"},
}
ROWS = {row.path: row for row in SETTINGS} | {f"models[0].{row.path}": row for row in MODEL}
NAMED = sorted(path for path, row in ROWS.items() if row.names)


def got(config: Config, path: str) -> object:
    if path == "models[0].api_secret":
        return None
    for model in re.findall(r"^models\[0\]\.(\w+)", path):
        return getattr(config.models[0], model)
    return reduce(getattr, path.split("."), config)


def expected(path: str, cwd: Path) -> object:
    wanted = CASES[path][2]
    return wanted.format(cwd=cwd) if isinstance(wanted, str) else wanted


def beside(path: str) -> dict[str, str]:
    given = dict(BESIDE.get(path, {}))
    if path.startswith("models[0].") and not path.endswith("api_key"):
        given.setdefault("MODEL_API_KEY", "beside")
    return given


def toml(path: str, raw: object) -> str:
    shown = f'"{raw}"' if isinstance(raw, str) else str(raw).replace("'", '"')
    table, _, key = path.rpartition(".")
    head = "[[models]]\n" if table == "models[0]" else f"[{table}]\n" if table else ""
    return f"{head}{key} = {shown}\n"


def test_every_setting_has_a_case_and_every_field_a_setting() -> None:
    assert set(CASES) == set(ROWS)
    tree: set[str] = set()
    for top in Config.__dataclass_fields__:
        node = getattr(Config(), top)
        inner = getattr(node, "__dataclass_fields__", None) if top != "models" else None
        tree |= {f"{top}.{name}" for name in inner} if inner else {top}
    tree = tree - {"models"} | {f"models[0].{name}" for name in ModelConfig.__dataclass_fields__}
    assert tree == set(ROWS) - {"models[0].api_secret"}


@pytest.mark.parametrize("path", sorted(CASES))
def test_the_file_sets_it(path: str, tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(toml(path, CASES[path][0]), "utf-8")
    loaded = load(beside(path), cwd=tmp_path)
    assert got(loaded.config, path) == expected(path, tmp_path)
    assert loaded.sources[path] == FILE


@pytest.mark.parametrize("path", NAMED)
def test_each_of_its_variables_sets_it_over_the_file_and_dotenv(path: str, tmp_path: Path) -> None:
    raw = CASES[path][1]
    assert raw is not None
    for name in ROWS[path].names:
        given = beside(path) | {name: raw}
        (tmp_path / FILE).write_text(toml(path, _other(path)), "utf-8")
        loaded = load(given, cwd=tmp_path)
        assert got(loaded.config, path) == expected(path, tmp_path)
        assert loaded.sources[path] == f"environment {name}"

        (tmp_path / ".env").write_text(f'export {name}="{raw}"  # as here\r\n', "utf-8")
        loaded = load(beside(path), cwd=tmp_path)
        assert got(loaded.config, path) == expected(path, tmp_path)
        assert loaded.sources[path] == f".env {name}"

        (tmp_path / ".env").write_text(f"{name}={_other(path)}\n", "utf-8")
        assert load(given, cwd=tmp_path).sources[path] == f"environment {name}"
        (tmp_path / ".env").unlink()


OTHER = {
    "desk.locale": "en",
    "desk.timezone": "UTC",
    "desk.answers": "open",
    "telegram.token": "9:z",
    "telegram.pace": "official",
    "telegram.mode": "polling",
    "telegram.streaming": "edits",
    "telegram.webhook_secret": "z",
    "slack.bot_token": "xoxb-z",
    "slack.app_token": "xapp-z",
    "slack.mode": "auto",
    "slack.streaming": "native",
    "knowledge.folder": "/",
    "embedder.kind": "none",
    "http.public": "off",
    "http.operator": "h:1",
    "database": "z.db",
    "access.person_per_minute": "9",
    "admins": "telegram:9",
    "staff": "slack:T9/C9",
    "models[0].auth": "bearer",
}


def _other(path: str) -> str:
    """Another sound value, which must not win."""
    return OTHER.get(path, "https://z.example")


@pytest.mark.parametrize("path", [path for path in NAMED if ROWS[path].secret])
def test_a_secret_is_read_from_a_file_by_variable_and_by_key(path: str, tmp_path: Path) -> None:
    raw = str(CASES[path][1])
    (tmp_path / "secret").write_text(raw + "\n", "utf-8")
    for name in ROWS[path].names:
        loaded = load(beside(path) | {f"{name}_FILE": str(tmp_path / "secret")}, cwd=tmp_path)
        assert got(loaded.config, path) == expected(path, tmp_path)
        assert loaded.sources[path] == f"environment {name}_FILE"
    (tmp_path / FILE).write_text(toml(f"{path}_file", "secret"), "utf-8")
    assert got(load(beside(path), cwd=tmp_path).config, path) == expected(path, tmp_path)


def refused(tmp_path: Path, file: str = "", **environ: str) -> str:
    (tmp_path / FILE).write_text(file, "utf-8")
    with pytest.raises(ConfigError) as caught:
        load(environ, cwd=tmp_path)
    return str(caught.value)


@pytest.mark.parametrize(
    ("file", "said"),
    [
        ("[desk]\nnmae = 'x'", "desk.nmae: unknown key; did you mean desk.name?"),
        ("dataabse = 'x'", "dataabse: unknown key; did you mean database?"),
        ("[desk]\nname = 3", "desk.name: expected text in quotes"),
        ("desk = 3", "desk: unknown key"),
        ("[desk]\nanswers = 'maybe'", "desk.answers: expected one of strict, assist, open"),
        ("[desk]\nlocale = 'fr'", "desk.locale: expected one of en, zh"),
        ("[desk]\nconcurrent = 0", "desk.concurrent: expected a whole number from 1 to 10000"),
        ('[desk]\ndigest = "24:00"', "desk.digest: expected a time such as 09:00, or nothing"),
        ("[desk]\nconcurrent = true", "desk.concurrent: expected a whole number from 1 to 10000"),
        ("[desk]\ntimezone = '../x'", "desk.timezone: expected a time zone name"),
        ("[desk]\ntimezone = 'Mars/Base'", "desk.timezone: expected a time zone name"),
        ("[desk]\ntimezone = ''", "desk.timezone: expected a time zone name"),
        ("[[models]]\ntimeout = 0", "models[0].timeout: unknown key"),
        ("[[models]]\n[[models]]\nmax_tokens = -1", "models[1].max_tokens: expected a whole"),
        ("[[models]]\nprice_input = -1", "models[0].price_input: expected a number from 0"),
        ("[[models]]\nprice_input = nan", "models[0].price_input: expected a number from 0"),
        ("[[models]]\nthinking = 'some'", 'expected true, false or "default"'),
        ("[models]\nname = 'x'", "models: expected tables, each headed [[models]]"),
        ("[http]\npublic = 'x:99999'", "http.public: expected host:port"),
        ("admins = [123]", "admins: expected a list"),
        ("admins = ['slack:U1']", "admins: expected people as telegram:123 or slack:T1/U1"),
        ("staff = 'telegram:@team'", "staff: expected a place"),
        ("database = 'postgresql://h/d'", "PostgreSQL is not supported yet"),
        ("[telegram]\ntoken_file = 'gone'", "telegram.token_file: expected a file"),
        ("[desk]\nname_file = 'x'", "desk.name_file: unknown key"),
        ("[desk\n", "frontdesk.toml: expected TOML"),
        ("[knowledge]\nfolder = 'gone'", "knowledge.folder: expected a folder"),
    ],
)
def test_a_wrong_file_is_refused_with_path_and_expectation(
    file: str, said: str, tmp_path: Path
) -> None:
    assert said in refused(tmp_path, file)


@pytest.mark.parametrize(
    ("environ", "said"),
    [
        ({"TELEGRAM_BOT_TOKEN": "hello"}, "TELEGRAM_BOT_TOKEN: expected a token as BotFather"),
        ({"FRONTDESK_DB": "postgresql://u:p@h/d"}, "FRONTDESK_DB: expected the path of a file"),
        ({"FRONTDESK_HTTP": "8080"}, "FRONTDESK_HTTP: expected host:port"),
        ({"PUBLIC_URL": "desk.example"}, "PUBLIC_URL: expected an address"),
        ({"SLACK_BOT_TOKEN": "xapp-1"}, "SLACK_BOT_TOKEN: expected a bot token"),
        ({"SLACK_BOT_TOKEN": "xoxb-1"}, "SLACK_APP_TOKEN: expected it"),
        (
            {"SLACK_BOT_TOKEN": "xoxb-1", "SLACK_MODE": "http", "SLACK_APP_TOKEN": "xapp-1"},
            "SLACK_SIGNING_SECRET: expected in http mode",
        ),
        ({"MODEL_API_KEY": "x", "MODEL_AUTH": "jwt"}, "MODEL_AUTH: jwt expected the key as id"),
        (
            {"MODEL_API_KEY": "id.secret", "MODEL_API_SECRET": "s"},
            "MODEL_API_SECRET: expected the id alone",
        ),
        ({"MODEL_API_KEY": "a", "MODEL_API_KEY_FILE": "b"}, "MODEL_API_KEY_FILE: expected either"),
        (
            {"TELEGRAM_BOT_TOKEN": TOKEN, "TELEGRAM_MODE": "webhook"},
            "TELEGRAM_WEBHOOK_SECRET: expected in webhook mode\nPUBLIC_URL: expected an https",
        ),
        ({"FRONTDESK_KNOWLEDGE": "gone"}, "FRONTDESK_KNOWLEDGE: expected a folder"),
    ],
)
def test_a_wrong_variable_is_refused_by_its_name(
    environ: dict[str, str], said: str, tmp_path: Path
) -> None:
    assert said in refused(tmp_path, "", **environ)


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    said = refused(tmp_path, "[desk]\nnmae = 'x'\nbusy = 'x'", FRONTDESK_HTTP="x")
    assert [line.partition(":")[0] for line in said.splitlines()] == [
        "desk.nmae",
        "desk.busy",
        "FRONTDESK_HTTP",
    ]


def test_a_refused_secret_is_not_repeated(tmp_path: Path) -> None:
    assert "s3cret" not in refused(
        tmp_path,
        "[slack]\nbot_token = 's3cret'\n[telegram]\ntoken = 's3cret'",
        MODEL_API_KEY="s3cret s3cret",
    )


def test_a_line_of_dotenv_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("# fine\nA=1\nnonsense\n", "utf-8")
    assert refused(tmp_path) == ".env line 3: expected NAME=value"


@pytest.mark.parametrize("name", [FILE, ".env"])
def test_bytes_that_are_no_text_are_refused_by_the_name_of_the_file(
    name: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match=re.escape(f"{name}: expected a file that can be read")):
        load({}, cwd=tmp_path)


def test_unknown_variables_of_ours_are_warned_of_and_strangers_are_not(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("TELEGRAM_TOKEN=1:a\nPATH=/\n", "utf-8")
    ours = dict.fromkeys(("FRONTDESK_ADMIN", "FRONTDESK_FOO", "FRONTDESK_HOST"), "x")
    loaded = load({**ours, "TELEGRAM_HOME": "y"}, cwd=tmp_path)
    assert loaded.warnings == (
        "TELEGRAM_TOKEN (.env): unknown; did you mean TELEGRAM_BOT_TOKEN?",
        "FRONTDESK_ADMIN (environment): unknown; did you mean FRONTDESK_ADMINS?",
        "FRONTDESK_FOO (environment): unknown",
        "FRONTDESK_HOST (environment): unknown",
    )


def test_nothing_set_is_a_sound_desk_without_a_model(tmp_path: Path) -> None:
    loaded = load({"MODEL_API_KEY": " "}, cwd=tmp_path)
    assert loaded == Loaded(config=loaded.config)
    assert loaded.config.models == ()
    assert loaded.config.database == str(tmp_path / "frontdesk.db")


def test_staff_on_telegram_are_under_the_bots_own_account(tmp_path: Path) -> None:
    environ = {"TELEGRAM_BOT_TOKEN": TOKEN, "FRONTDESK_STAFF": "telegram:-100123/7"}
    assert load(environ, cwd=tmp_path).config.staff == Place(
        platform="telegram", account="123456", channel="-100123", thread="7"
    )
    loaded = load({"FRONTDESK_STAFF": "telegram:-100123"}, cwd=tmp_path)
    assert loaded.config.staff is None
    assert "FRONTDESK_STAFF: without TELEGRAM_BOT_TOKEN" in loaded.warnings[0]


def test_a_key_and_its_secret_are_joined(tmp_path: Path) -> None:
    environ = {"ZHIPU_API_KEY": "id", "MODEL_API_SECRET": "s", "MODEL_AUTH": "jwt"}
    assert load(environ, cwd=tmp_path).config.models[0].api_key == Secret("id.s")


def test_a_chain_keeps_its_order_and_leaves_out_who_has_no_key(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(
        """
        [desk]
        currency = "CNY"
        [[models]]
        name = "one"
        [[models]]
        name = "two"
        [[models]]
        name = "three"
        base_url = "http://127.0.0.1:11434/v1"
        currency = "USD"
        """,
        "utf-8",
    )
    loaded = load({"MODEL_API_KEY": "k"}, cwd=tmp_path)
    assert [(model.name, model.currency) for model in loaded.config.models] == [
        ("one", "CNY"),
        ("three", "USD"),
    ]
    assert loaded.warnings == ("models[1]: has no api_key, so it is not asked",)


def test_the_proper_name_wins_over_its_alias_within_a_source(tmp_path: Path) -> None:
    environ = {"ZHIPU_API_KEY": "alias", "MODEL_API_KEY": "proper"}
    assert load(environ, cwd=tmp_path).config.models[0].api_key == Secret("proper")


def test_secrets_print_as_stars_everywhere(tmp_path: Path) -> None:
    environ = {"TELEGRAM_BOT_TOKEN": "1:s3cret", "MODEL_API_KEY": "s3cret"}
    loaded = load(environ, cwd=tmp_path)
    assert "s3cret" not in f"{loaded} {loaded!r} {loaded.config.telegram.token!s}"
    assert loaded.config.telegram.token.reveal() == "1:s3cret"


def test_the_languages_are_those_of_the_catalogue(tmp_path: Path) -> None:
    for locale in LOCALES:
        assert load({"FRONTDESK_LOCALE": locale}, cwd=tmp_path).config.desk.locale == locale
    assert refused(tmp_path, "", FRONTDESK_LOCALE="xx").endswith(", ".join(LOCALES))


def test_the_example_file_shows_every_key_with_its_default(tmp_path: Path) -> None:
    text = Path("config.example.toml").read_text("utf-8")
    live = re.sub(r"(?m)^# (?=\w+ = |\[\[)", "", text)
    shown = tomllib.loads(live)
    flat = _flat({key: node for key, node in shown.items() if key != "models"})
    flat |= {f"models[0].{key}": raw for key, raw in shown["models"][0].items()}
    bare = {path.removesuffix("_file") for path in flat}
    hidden = {"telegram.webhook_secret", "models[0].api_secret"}
    assert bare == set(ROWS) - hidden
    defaults = Config(models=(ModelConfig(),))
    free = {"admins", "staff", "http.public_url", "http.admin_url", "models[0].currency"}
    for path, raw in flat.items():
        if path in ROWS and path not in free and "price" not in path:
            shown_raw = frozenset(raw) if isinstance(raw, list) else raw
            assert got(defaults, path) == shown_raw, path
    untouched = load({}, cwd=tmp_path)
    (tmp_path / FILE).write_text(text, "utf-8")
    assert load({}, cwd=tmp_path) == untouched


def _flat(tree: dict[str, Any], at: str = "") -> dict[str, object]:
    found: dict[str, object] = {}
    for key, raw in tree.items():
        found |= _flat(raw, f"{at}{key}.") if isinstance(raw, dict) else {f"{at}{key}": raw}
    return found


def test_the_example_dotenv_names_every_variable_and_sets_none(tmp_path: Path) -> None:
    text = Path(".env.example").read_text("utf-8")
    names = set(re.findall(r"(?m)^(\w+)=$", text))
    assert names == {name for name in variables() if not name.endswith("_FILE")}
    (tmp_path / ".env").write_text(text, "utf-8")
    assert load({}, cwd=tmp_path).sources == {}


def test_every_variable_is_named_once() -> None:
    names = [name for row in (*SETTINGS, *MODEL) for name in row.names]
    assert len(names) == len(set(names))
    assert isinstance(SETTINGS[0], Setting)


def test_a_staff_place_that_nobody_can_reach_is_warned_of(tmp_path: Path) -> None:
    """Customers would be told that staff know."""
    loaded = load({"FRONTDESK_STAFF": "slack:T1/C042"}, cwd=tmp_path)
    assert loaded.config.staff is None
    assert any("SLACK_BOT_TOKEN" in warning for warning in loaded.warnings)
