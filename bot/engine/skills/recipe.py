"""What a skill is, as its file NAME.toml says it; and what can be wrong with such a file."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from bot.errors import ConfigError
from bot.types import Role

SHIPPED = "skills"
"""The folder of skills that come with the desk."""
TEXT_MAX = 2_000
"""Characters of an argument where its parameter does not say."""

_VARIABLE = re.compile(r"\{\{|\}\}|\{([^{}]*)\}")
_NAME = r"^[a-z][a-z0-9_]{0,31}$"  # what Telegram takes for a command
_AT = re.compile(r" - at `\$\.?(.*?)`$")
_FIELD = re.compile(r"field `(\w+)`")

OWN_WORDS = frozenset({"temperature", "max_tokens"})
"""Arguments that every skill takes, so no parameter may be called that."""


class Words(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A text in each language of the desk."""

    en: Annotated[str, msgspec.Meta(min_length=1)]
    zh: Annotated[str, msgspec.Meta(min_length=1)]

    def to(self, locale: str) -> str:
        """In this language."""
        return self.zh if locale == "zh" else self.en


class Parameter(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One thing a skill is told. Text is data in the prompt; numbers and choices stand in it.

    `most` bounds the characters of a text or the value of a number. `named` are further names for
    `name=value`. `after` are words that make a number this one's ("300 words"); `before` are words
    that begin a plain text and lead to this value, up to a colon ("to French: …"). `quoted`: the
    message replied to, or a file, is taken for it.
    """

    name: Annotated[str, msgspec.Meta(pattern=_NAME)]
    named: tuple[str, ...] = ()
    kind: Literal["text", "number", "choice"] = "text"
    required: bool = False
    default: str | int | Words | None = None
    choices: dict[str, str] = {}
    least: int = 1
    most: Annotated[int, msgspec.Meta(ge=1)] = TEXT_MAX
    ask: Words | None = None
    after: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    quoted: bool = False

    @property
    def names(self) -> tuple[str, ...]:
        """All it may be called in `name=value`."""
        return (self.name, *self.named)


class Skill(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A named way to answer. `daily` is how often one person may use it in a day; None: at will.

    `knowledge`: passages that match the first parameter are given along. An administrator has no
    daily limit.
    """

    name: Annotated[str, msgspec.Meta(pattern=_NAME)]
    about: Words
    prompt: Words
    parameters: Annotated[tuple[Parameter, ...], msgspec.Meta(min_length=1)]
    roles: tuple[Literal["customer", "staff", "admin"], ...] = ("customer", "staff", "admin")
    daily: Annotated[int, msgspec.Meta(ge=1)] | None = None
    temperature: Annotated[float, msgspec.Meta(ge=0, le=2)] | None = None
    max_tokens: Annotated[int, msgspec.Meta(ge=16, le=131_072)] = 2_048
    knowledge: bool = False

    @property
    def allowed(self) -> frozenset[Role]:
        """Who may use it."""
        return frozenset(Role(role) for role in self.roles)

    @property
    def takes_quoted(self) -> Parameter | None:
        """The parameter that a message replied to, or a file, is taken for."""
        return next((one for one in self.parameters if one.quoted), None)


def load_skills(folder: Path | None = None) -> dict[str, Skill]:
    """The shipped skills and those of `folder`, which win over shipped ones of the same name.

    Raises ConfigError with one line for each wrong file: its name, the line and the key.
    """
    files = list(_files(resources.files("bot").joinpath(SHIPPED)))
    if folder is not None and folder.is_dir():
        files += _files(folder)
    found: dict[str, Skill] = {}
    problems: list[str] = []
    for file in files:
        try:
            found[file.name.removesuffix(".toml")] = parse(file.name, file.read_text("utf-8"))
        except ConfigError as error:
            problems.append(str(error))
        except (OSError, UnicodeDecodeError):
            problems.append(f"skills/{file.name}: expected a file of UTF-8 text")
    if problems:
        raise ConfigError("\n".join(problems))
    return found


def _files(folder: Traversable | Path) -> Iterator[Traversable]:
    yield from sorted(
        (file for file in folder.iterdir() if file.name.endswith(".toml")),
        key=lambda file: file.name,
    )


def parse(file: str, text: str) -> Skill:
    """One file. Raises ConfigError: "skills/FILE, line N: KEY: expected …"."""
    try:
        tree = tomllib.loads(text.removeprefix("\ufeff"))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"skills/{file}: expected TOML: {error}") from error
    try:
        skill = msgspec.convert(tree, Skill)
        _check(file, skill)
    except _Wrong as error:
        raise ConfigError(_located(file, text, error.key, error.what)) from error
    except msgspec.ValidationError as error:
        at, what = _AT.search(str(error)), _AT.sub("", str(error))
        key = at.group(1) if at else ""
        if (field := _FIELD.search(what)) and "unknown" in what:
            key = f"{key}.{field.group(1)}".lstrip(".")
        raise ConfigError(_located(file, text, key, what)) from error
    return skill


class _Wrong(Exception):
    """A key that is well-formed and still wrong."""

    def __init__(self, key: str, what: str) -> None:
        super().__init__(what)
        self.key, self.what = key, what


def _check(file: str, skill: Skill) -> None:
    """What only the whole file shows. Raises _Wrong."""
    if f"{skill.name}.toml" != file:
        raise _Wrong("name", "expected the name of the file without .toml")
    taken: set[str] = set(OWN_WORDS)
    for index, parameter in enumerate(skill.parameters):
        at = f"parameters[{index}]"
        for name in (one.casefold() for one in parameter.names):
            if name in taken or not re.fullmatch(r"\w+", name):
                raise _Wrong(f"{at}.name", f"expected a word that is still free, not {name}")
            taken.add(name)
        _check_parameter(at, parameter)
    if all(parameter.kind != "text" for parameter in skill.parameters):
        raise _Wrong("parameters", "expected one of kind text")
    known = {parameter.name for parameter in skill.parameters}
    for locale in ("en", "zh"):
        for found in _VARIABLE.finditer(skill.prompt.to(locale)):
            if found.group(1) is not None and found.group(1) not in known:
                raise _Wrong(
                    f"prompt.{locale}",
                    f"{{{found.group(1)}}} is no parameter; write {{{{ and }}}} for braces",
                )


def _check_parameter(at: str, parameter: Parameter) -> None:
    if parameter.required and parameter.ask is None:
        raise _Wrong(f"{at}.ask", "expected the question to put when it is missing")
    if (parameter.kind == "choice") != bool(parameter.choices):
        raise _Wrong(f"{at}.choices", "expected word = word in Chinese, for a choice only")
    if parameter.kind == "number" and parameter.least > parameter.most:
        raise _Wrong(f"{at}.least", f"expected at most {parameter.most}")
    default = parameter.default
    fits = {
        "number": isinstance(default, int) and parameter.least <= default <= parameter.most,
        "choice": default in parameter.choices,
        "text": isinstance(default, str | Words),
    }
    if default is not None and not fits[parameter.kind]:
        raise _Wrong(f"{at}.default", f"expected a {parameter.kind} within its bounds")


def _located(file: str, text: str, key: str, what: str) -> str:
    """The problem with its place: the line of the key, or of the nearest table around it."""
    line = _line_of(text, key)
    place = f"skills/{file}" + (f", line {line}" if line else "")
    return f"{place}: {key}: {what}" if key else f"{place}: {what}"


def _line_of(text: str, key: str) -> int | None:
    """Where a key like `parameters[1].kind` stands. None where nothing of it does."""
    lines = dict(_keys(text))
    while key:
        if key in lines:
            return lines[key]
        key = key[: max(key.rfind("."), key.rfind("["), 0)]
    return None


def _keys(text: str) -> Iterator[tuple[str, int]]:
    """Each key and table of a TOML text with its line; texts of several lines are stepped over."""
    table, counts, inside = "", dict[str, int](), ""
    for number, line in enumerate(text.splitlines(), 1):
        if inside:
            inside = "" if inside in line else inside
            continue
        if head := re.match(r"\s*(\[\[?)\s*([\w.-]+)", line):
            table = head.group(2)
            if head.group(1) == "[[":
                counts[table] = counts.get(table, -1) + 1
                table = f"{table}[{counts[table]}]"
            yield table, number
        elif found := re.match(r"\s*([\w-]+)\s*=\s*(\"{3}|'{3})?(.*)", line):
            yield f"{table}.{found.group(1)}".lstrip("."), number
            mark = found.group(2) or ""
            inside = mark if mark and mark not in found.group(3) else ""


def filled(prompt: str, values: dict[str, Any]) -> str:
    """The prompt with its variables; one pass, so that no value can name a variable in turn."""

    def value_of(found: re.Match[str]) -> str:
        name = found.group(1)
        return found.group()[0] if name is None else str(values[name])

    return _VARIABLE.sub(value_of, prompt)
