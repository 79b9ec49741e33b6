"""Gathers the settings from their four sources and says precisely what is wrong with them.

Precedence: environment > .env > frontdesk.toml > default.
"""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import field, fields, is_dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from bot.config import dotenv
from bot.config.table import MODEL, SETTINGS, Setting, variables
from bot.config.values import Config, EmbedderConfig, ModelConfig, Secret
from bot.errors import ConfigError
from bot.types import Place, value

T = TypeVar("T")

FILE = "frontdesk.toml"
ENV = ".env"
_OURS = ("FRONTDESK_", "TELEGRAM_", "SLACK_", "MODEL_")


@value
class Loaded:
    """The settings, what to warn the operator of, and where each setting comes from.

    `sources` maps a path ("telegram.token", "models[0].name") to "environment TELEGRAM_BOT_TOKEN",
    ".env …" or "frontdesk.toml"; what is not in it has its default.
    """

    config: Config
    warnings: tuple[str, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict)


def load(environ: Mapping[str, str], *, cwd: Path) -> Loaded:
    """Read and check everything; .env and frontdesk.toml are looked for in `cwd`.

    Raises ConfigError with one line per problem, "PATH: expected …"; never only the first.
    """
    gathering = _Gathering(cwd)
    gathering.take_file()
    gathering.take_variables(ENV, gathering.dotenv())
    gathering.take_variables("environment", environ)
    config = gathering.config()
    if gathering.problems:
        raise ConfigError("\n".join(gathering.problems))
    return Loaded(
        config=config, warnings=tuple(gathering.warnings), sources=dict(gathering.sources)
    )


def spoken(environ: Mapping[str, str], *, cwd: Path) -> str:
    """The language that the settings name, whatever else is wrong with them; "" for none."""
    gathering = _Gathering(cwd)
    gathering.take_file()
    gathering.take_variables(ENV, gathering.dotenv())
    gathering.take_variables("environment", environ)
    return str(gathering.values.get("desk.locale", ""))


class _Gathering:
    """Values by path as they come in, later sources over earlier ones."""

    def __init__(self, cwd: Path) -> None:
        self.cwd = cwd.absolute()
        self.values: dict[str, Any] = {}
        self.sources: dict[str, str] = {}
        self.problems: list[str] = []
        self.warnings: list[str] = []
        self.chain = 0

    # --- the file ---------------------------------------------------------------------------

    def take_file(self) -> None:
        tree = self._toml()
        models = tree.pop("models", [])
        known = {row.path: row for row in SETTINGS}
        for path, raw in _leaves(tree):
            self._take_key(path, raw, known)
        if not isinstance(models, list) or not all(isinstance(one, dict) for one in models):
            self.problems.append("models: expected tables, each headed [[models]]")
            return
        self.chain = len(models)
        for index, table in enumerate(models):
            rows = {f"models[{index}].{row.path}": row for row in MODEL}
            for path, raw in _leaves(table, f"models[{index}]."):
                self._take_key(path, raw, rows)

    def _toml(self) -> dict[str, Any]:
        content = self._content(self.cwd / FILE, FILE)
        try:
            return tomllib.loads(content.removeprefix("\ufeff"))
        except tomllib.TOMLDecodeError as error:
            self.problems.append(f"{FILE}: expected TOML: {error}")
            return {}

    def _take_key(self, path: str, raw: object, known: Mapping[str, Setting]) -> None:
        bare = path.removesuffix("_file")
        if (setting := known.get(path)) is not None:
            if path in self.values:
                self.problems.append(f"{path}: expected either this or {path}_file, not both")
            self._take(path, setting, raw, source=FILE, named=path)
        elif bare in known and known[bare].secret:
            if bare in self.values:
                self.problems.append(f"{path}: expected either this or {bare}, not both")
            self._take_secret_file(bare, known[bare], raw, source=FILE, named=path)
        else:
            self.problems.append(f"{path}: unknown key{_suggest(path, known)}")

    # --- variables --------------------------------------------------------------------------

    def dotenv(self) -> dict[str, str]:
        found, bad = dotenv.parse(self._content(self.cwd / ENV, ENV))
        self.problems += [f"{ENV} line {number}: expected NAME=value" for number in bad]
        return found

    def take_variables(self, source: str, given: Mapping[str, str]) -> None:
        """Empty variables count as not set: that is how a template or compose leaves them out."""
        given = {name: text for name, text in given.items() if text.strip()}
        self._warn_unknown(source, given)
        for setting in SETTINGS:
            self._take_named(setting.path, setting, source, given)
        for setting in MODEL:
            self._take_named(f"models[0].{setting.path}", setting, source, given)

    def _take_named(
        self, path: str, setting: Setting, source: str, given: Mapping[str, str]
    ) -> None:
        for name in setting.names:
            filed = f"{name}_FILE" if setting.secret else ""
            if name in given and filed in given:
                self.problems.append(f"{filed}: expected either this or {name}, not both")
            if name in given:
                self._take(path, setting, given[name], source=f"{source} {name}", named=name)
                return
            if filed in given:
                self._take_secret_file(
                    path, setting, given[filed], source=f"{source} {filed}", named=filed
                )
                return

    def _warn_unknown(self, source: str, given: Iterable[str]) -> None:
        """A stranger's variables are in every environment; in .env all are meant for us."""
        prefixes = _OURS if source == ENV else _OURS[:1]
        known = variables()
        for name in sorted(given):
            if name.startswith(prefixes) and name not in known:
                self.warnings.append(f"{name} ({source}): unknown{_suggest(name, known)}")

    # --- one value --------------------------------------------------------------------------

    def _take(self, path: str, setting: Setting, raw: object, *, source: str, named: str) -> None:
        try:
            self.values[path] = setting.kind(raw)
            self.sources[path] = source
        except ValueError as error:
            self.problems.append(f"{named}: {error}")

    def _take_secret_file(
        self, path: str, setting: Setting, raw: object, *, source: str, named: str
    ) -> None:
        content = self._content(self._path(str(raw)), named, must=True)
        if content:
            self._take(path, setting, content, source=source, named=named)

    def _content(self, path: Path, named: str, *, must: bool = False) -> str:
        try:
            content = path.read_text("utf-8")
        except FileNotFoundError:
            if must:
                self.problems.append(f"{named}: expected a file, {path} is not there")
            return ""
        except (OSError, UnicodeDecodeError, ValueError) as error:
            why = getattr(error, "strerror", None) or "it is not UTF-8 text"
            self.problems.append(f"{named}: expected a file that can be read: {why}")
            return ""
        if must and not content.strip():
            self.problems.append(f"{named}: expected a secret, {path} is empty")
            return ""
        return content

    def _path(self, text: str) -> Path:
        return self.cwd / Path(text).expanduser()

    # --- the whole --------------------------------------------------------------------------

    def config(self) -> Config:
        config = self._filled(Config(), lambda path: path)
        config = replace(
            config,
            database=self._database(config.database),
            skills=self._skills(config.skills),
            knowledge=replace(config.knowledge, folder=self._folder(config.knowledge.folder)),
            models=self._models(config.desk.currency),
            staff=self._staff(config),
        )
        config = replace(config, embedder=self._embedder(config))
        self._check_telegram(config)
        self._check_slack(config)
        return config

    def _filled(self, node: T, place: Callable[[str], str]) -> T:
        """A copy of a struct with the values that were given for it and for structs within."""
        changes: dict[str, Any] = {}
        for one in fields(node):  # type: ignore[arg-type]  # every caller passes a struct
            path, present = place(one.name), getattr(node, one.name)
            if path in self.values:
                changes[one.name] = self.values[path]
            elif is_dataclass(present) and not isinstance(present, Place):
                changes[one.name] = self._filled(present, lambda name, at=path: f"{at}.{name}")  # type: ignore[misc]  # mypy does not infer a default argument
        return replace(node, **changes)  # type: ignore[type-var]  # as above

    def _database(self, text: str) -> str:
        return text if text == ":memory:" else str(self._path(text))

    def _folder(self, text: str) -> str:
        if text and not self._path(text).is_dir():
            self.problems.append(
                f"{self._named('knowledge.folder')}: expected a folder, {text} is none"
            )
        return str(self._path(text)) if text else ""

    def _skills(self, text: str) -> str:
        if "skills" in self.values and not self._path(text).is_dir():
            self.problems.append(f"{self._named('skills')}: expected a folder, {text} is none")
        return str(self._path(text))

    def _models(self, currency: str) -> tuple[ModelConfig, ...]:
        first = any(f"models[0].{key}" in self.values for key in ("api_key", "base_url"))
        if not self.chain and not first and "models[0].name" in self.values:
            self.warnings.append("MODEL_NAME: without MODEL_API_KEY answers are excerpts only")
        chain = [self._model(index, currency) for index in range(self.chain or int(first))]
        return tuple(model for model in chain if model is not None)

    def _model(self, index: int, currency: str) -> ModelConfig | None:
        at = f"models[{index}]"
        model = self._filled(ModelConfig(currency=currency), lambda name: f"{at}.{name}")
        model = replace(model, api_key=self._api_key(at, model.api_key))
        if model.auth == "jwt" and not _is_pair(model.api_key):
            self.problems.append(
                f"{self._named(f'{at}.auth')}: jwt expected the key as id.secret"
                " (or MODEL_API_SECRET beside it)"
            )
        if not model.api_key and f"{at}.base_url" not in self.values:
            self.warnings.append(f"{at}: has no api_key, so it is not asked")
            return None
        return model

    def _api_key(self, at: str, key: Secret) -> Secret:
        second: Secret | None = self.values.get(f"{at}.api_secret")
        if not second:
            return key
        if not key or "." in key.reveal():
            self.problems.append(
                f"{self._named(f'{at}.api_secret')}: expected the id alone as the key beside it"
            )
        return Secret(f"{key.reveal()}.{second.reveal()}")

    def _embedder(self, config: Config) -> EmbedderConfig:
        """With a model's key where it has none and asks the same host."""
        embedder, host = config.embedder, urlsplit(config.embedder.base_url).netloc
        if embedder.kind != "openai" or embedder.api_key:
            return embedder
        keys = [one.api_key for one in config.models if urlsplit(one.base_url).netloc == host]
        if not any(keys) and embedder.base_url == EmbedderConfig().base_url:
            self.problems.append("FRONTDESK_EMBEDDER_KEY: expected a key for the embedder")
        return replace(embedder, api_key=next(filter(None, keys), embedder.api_key))

    def _staff(self, config: Config) -> Place | None:
        staff = config.staff
        if staff is None:
            return None
        if staff.platform == "slack" and not config.slack.bot_token:
            self.warnings.append(
                f"{self._named('staff')}: without SLACK_BOT_TOKEN nobody is told there"
            )
            return None
        if staff.platform != "telegram":
            return staff
        if not config.telegram.token:
            self.warnings.append(
                f"{self._named('staff')}: without TELEGRAM_BOT_TOKEN nobody is told there"
            )
            return None
        return replace(staff, account=config.telegram.token.reveal().partition(":")[0])

    def _check_telegram(self, config: Config) -> None:
        if config.telegram.mode != "webhook" or not config.telegram.token:
            return
        if not config.telegram.webhook_secret:
            self.problems.append("TELEGRAM_WEBHOOK_SECRET: expected in webhook mode")
        if not config.http.public_url.startswith("https://"):
            self.problems.append("PUBLIC_URL: expected an https:// address in webhook mode")
        if not config.http.public:
            self.problems.append("FRONTDESK_HTTP: expected to be on in webhook mode")

    def _check_slack(self, config: Config) -> None:
        slack = config.slack
        if not slack.bot_token:
            if slack.app_token or slack.signing_secret:
                self.warnings.append("SLACK_BOT_TOKEN: without it Slack is not served")
            return
        if slack.mode == "socket" and not slack.app_token:
            self.problems.append("SLACK_APP_TOKEN: expected in socket mode")
        if slack.mode == "http" and not slack.signing_secret:
            self.problems.append("SLACK_SIGNING_SECRET: expected in http mode")
        if slack.mode == "auto" and not (slack.app_token or slack.signing_secret):
            self.problems.append(
                "SLACK_APP_TOKEN: expected it (socket mode) or SLACK_SIGNING_SECRET (http mode)"
            )

    def _named(self, path: str) -> str:
        """What the operator called it: the variable or the key."""
        source = self.sources.get(path, FILE)
        return path if source == FILE else source.rpartition(" ")[2]


def _leaves(tree: Mapping[str, Any], at: str = "") -> Iterator[tuple[str, object]]:
    for key, raw in tree.items():
        if isinstance(raw, dict) and raw:
            yield from _leaves(raw, f"{at}{key}.")
        elif not isinstance(raw, dict):
            yield f"{at}{key}", raw


def _suggest(name: str, known: Iterable[str]) -> str:
    near = max((one for one in known if _near(name, one)), key=partial(_alike, name), default="")
    return f"; did you mean {near}?" if near else ""


def _near(name: str, known: str) -> bool:
    """Whether one is a slip of the other: where both begin alike, by what tells them apart."""
    (first, mine), (other, theirs) = _parted(name), _parted(known)
    return _alike(mine, theirs) >= 0.7 if first == other else _alike(name, known) >= 0.85


def _parted(name: str) -> tuple[str, str]:
    """The room that a name stands in, FRONTDESK_ or telegram., and its own part."""
    first, _, own = name.rpartition(".") if "." in name else name.partition("_")
    return first, own or name


def _alike(one: str, other: str) -> float:
    return difflib.SequenceMatcher(None, one, other).ratio()


def _is_pair(key: Secret) -> bool:
    first, dot, second = key.reveal().partition(".")
    return bool(first and dot and second)
