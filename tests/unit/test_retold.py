"""What is wrong with the settings, told in Chinese: each sentence that the code makes."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from bot.i18n import catalogue
from bot.i18n.retold import SECTION, retold
from tests.unit.test_cli import ROOT, Inside, inside

__all__ = ["inside"]

HAN = re.compile(r"[一-鿿]")
FILES = (
    *("bot/config/kinds.py", "bot/config/load.py", "bot/web/listener.py", "bot/model/batch.py"),
    *("bot/model/local.py", "bot/model/auth.py", "bot/cli/skills.py", "bot/cli/knowledge.py"),
)
SAYS = {"ValueError", "ConfigError", "KnowledgeError", "shaped_secret", "append"}
"""Calls whose text is told to the operator; `append` to the problems and warnings."""
IN_A_ROW = {'expected {"prompt": "…"} or a string: x', "the prompt is empty"}
"""Errors in a batch's output, which is a program's to read."""


def _text(node: ast.expr) -> str | None:
    """A text with x for whatever is put into it."""
    match node:
        case ast.Constant(value=str() as text):
            return text
        case ast.JoinedStr(values=parts):
            return "".join(map(_part, parts))
        case ast.BinOp(left=left):  # "expected one of " + ", ".join(words)
            return f"{_text(left)}x"
        case _:
            return None


def _part(node: ast.expr) -> str:
    """Of a text that is put together; a name is suggested for some only."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    return "" if "_suggest" in ast.unparse(node) else "x"


def _sentences(path: str) -> list[str]:
    found = []
    for node in ast.walk(ast.parse((ROOT / path).read_text("utf-8"))):
        if isinstance(node, ast.Return) and path.endswith(("listener.py", "local.py")):
            found.append(_text(node.value) if node.value else None)
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        about = ast.unparse(node.func)
        if name in SAYS and (name != "append" or "problems" in about or "warnings" in about):
            found += [_text(one) for one in node.args]
    made = [one for one in found if one and re.search(r"\w \w", one)]
    return [f"expected {one}" if one.startswith(("a token", "1 to", "a bot", "an app")) else one
            for one in made]  # fmt: skip


@pytest.mark.parametrize("path", FILES)
def test_each_sentence_of_an_error_is_in_the_table(path: str) -> None:
    """Found in the code itself: a new one, or one that is worded anew, fails here."""
    sentences = [one for one in _sentences(path) if one not in IN_A_ROW]
    assert sentences
    assert [
        one for one in sentences if one != "expected x" and not HAN.search(retold(one, "zh"))
    ] == []


def test_the_table_has_no_sentence_that_nobody_makes() -> None:
    source = "\n".join(
        re.sub(r'"\s*\n\s*f?"', "", path.read_text("utf-8"))
        for room in ("bot", "adapters")
        for path in (ROOT / room).rglob("*.py")
    ).replace('\\"', '"')
    for key, sentence in catalogue("en").items():
        if key.startswith(SECTION):
            longest = max(re.split(r"\{\w+\}|(?=; did)|(?=: it is)", sentence), key=len).strip()
            assert longest.removeprefix("expected ") in source, key


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("desk.busy: expected one of queue, x", "desk.busy: 应为以下之一：queue, x"),
        (".env line 3: expected NAME=value", ".env 第 3 行：应为 NAME=值"),
        ("a.b: unknown key", "a.b: 没有这个设置"),
        ("a.b: unknown key; did you mean a.c?", "a.b: 没有这个设置；您是想写 a.c 吗？"),
        ("X: something of somebody else's", "X: something of somebody else's"),
        ("no colon at all", "no colon at all"),
    ],
)  # fmt: skip
def test_a_line_keeps_its_name_and_what_is_not_ours(text: str, told: str) -> None:
    assert retold(text, "zh") == told
    assert retold(text, "en") == text


@pytest.mark.parametrize(
    ("file", "settings"),
    [
        ("[desk]\nlocale = 'zh'\nanswers = 'perhaps'\n", {}),
        ("[desk]\nanswers = 'perhaps'\n", {"FRONTDESK_LOCALE": "zh"}),
        ("[desk]\nanswers = 'perhaps'\n", {"LANG": "zh_CN.UTF-8"}),
    ],
)
def test_wrong_settings_are_told_in_the_language_that_they_name(
    tmp_path: Path, inside: Inside, file: str, settings: dict[str, str]
) -> None:
    """Also where they cannot be read as a whole."""
    (tmp_path / "frontdesk.toml").write_text(file, "utf-8")
    for words in (["run"], ["doctor"], ["batch", "frontdesk.toml", "-o", "out"]):
        done = inside(*words, **settings, FRONTDESK_ADMINS="me")
        said = done.stdout + done.stderr
        assert "desk.answers: 应为以下之一：strict, assist, open" in said, words
        assert "FRONTDESK_ADMINS: 应为用户" in said, words
        assert "expected" not in said, words


def test_a_batch_speaks_the_readers_language(tmp_path: Path, inside: Inside) -> None:
    (tmp_path / "a.jsonl").write_text('"hello"\n', "utf-8")
    done = inside("batch", "a.jsonl", "-o", "out", FRONTDESK_LOCALE="zh")
    assert "MODEL_API_KEY: 需要设置它" in done.stderr
    asked = {"FRONTDESK_LOCALE": "zh", "MODEL_BASE_URL": "http://127.0.0.1:1/v1"}
    done = inside("batch", "a.jsonl", "-o", "a.jsonl", **asked)
    assert "a.jsonl 第 1 行不是批处理的结果" in done.stderr
