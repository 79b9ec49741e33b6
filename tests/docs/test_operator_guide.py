"""The operator's guide says nothing that is not so: settings, metrics, links."""

import re
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from bot.config.table import variables
from bot.engine.skills import parse, understood
from bot.types import LedgerRow
from bot.web import Metrics
from bot.web.guard import BODY_SECONDS

GUIDE = Path(__file__).parents[2] / "docs" / "operator"
PAGES = sorted(GUIDE.glob("*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_setting_that_is_named_exists(page: Path) -> None:
    """A setting from another version costs an operator an hour."""
    named = set(
        re.findall(r"\b(?:FRONTDESK|TELEGRAM|SLACK|MODEL|PUBLIC)_[A-Z_]+\b", page.read_text())
    )
    assert named <= set(variables())


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path) -> None:
    """Links to pages beside it."""
    for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_the_table_of_metrics_is_what_is_exposed() -> None:
    """No metric is missing there, none is invented."""
    metrics = Metrics()
    metrics.settled(LedgerRow(at=0, route="open", outcome="answered", total_ms=1, first_text_ms=1))
    exposed = set()
    for family in text_string_to_metric_families(metrics.exposition(None).decode()):
        if family.name.startswith("frontdesk_") and not family.name.endswith("_created"):
            exposed.add(family.name + "_total" * (family.type == "counter"))
    table = (
        (GUIDE / "http.md").read_text().partition("## Metrics")[2].partition("Worth an alert")[0]
    )
    assert set(re.findall(r"`(frontdesk_[a-z_]+)`", table)) == exposed - {"frontdesk_info"}


def test_the_skill_of_the_guide_is_one_and_understands_what_is_said_there() -> None:
    """An operator copies it and goes on from there."""
    page = (GUIDE / "skills.md").read_text("utf-8")
    skill = parse("apology.toml", page.partition("```toml\n")[2].partition("```")[0])
    said = re.findall(r"^/apology (.+)$", page, re.MULTILINE)
    assert [understood(skill, text).values for text in said] == [
        {"what": "order 1007, 3 weeks", "weeks": 3},
        {"what": "the lamp", "tone": "formal"},
    ]
    missing = understood(skill, "").lacks(skill)
    assert missing is not None
    assert missing.name == "what"


def test_the_times_in_the_guide_are_the_codes() -> None:
    """408 is told with its limit."""
    assert f"longer than {BODY_SECONDS:.0f} s" in (GUIDE / "http.md").read_text()
