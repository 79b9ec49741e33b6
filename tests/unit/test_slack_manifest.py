"""The manifest asks for what the code uses, and both variants are one app."""

from __future__ import annotations

from adapters.slack.manifest import SCOPES, manifest, missing, over_http
from adapters.slack.normalise import SHORTCUT
from bot.engine.skills import load_skills

URL = "https://desk.example/slack/events"


def test_it_asks_for_exactly_the_scopes_that_have_a_reason() -> None:
    asked = manifest()["oauth_config"]["scopes"]["bot"]
    assert sorted(asked) == sorted(SCOPES)
    assert len(asked) == len(set(asked))


def test_it_is_an_agent_of_todays_form_and_within_slacks_limits() -> None:
    """Since June 2026 new apps take `agent_view` only; Slack bounds its texts and lists."""
    features = manifest()["features"]
    assert "assistant_view" not in features
    assert len(features["agent_view"]["agent_description"]) <= 300
    assert len(features["agent_view"]["suggested_prompts"]) <= 4
    assert all(len(command["command"]) <= 32 for command in features["slash_commands"])


def test_each_shortcut_is_within_slacks_limits_and_names_a_skill_that_takes_a_message() -> None:
    """Both languages stand in one name: Slack translates none."""
    skills = load_skills()
    for shortcut in manifest()["features"]["shortcuts"]:
        assert shortcut["type"] == "message"
        assert len(shortcut["name"]) <= 24
        assert len(shortcut["description"]) <= 150
        assert any("一" <= sign <= "鿿" for sign in shortcut["name"])
        found = SHORTCUT.fullmatch(shortcut["callback_id"])
        assert found
        assert skills[found[2]].takes_quoted


def test_the_socket_variant_has_no_address_and_the_http_variant_has_it_everywhere() -> None:
    socket, http = manifest(), over_http(manifest(), URL)
    assert "url" not in str(socket)
    assert socket["settings"]["socket_mode_enabled"]
    assert not http["settings"]["socket_mode_enabled"]
    assert {command["url"] for command in http["features"]["slash_commands"]} == {URL}
    assert http["settings"]["event_subscriptions"]["request_url"] == URL
    assert http["settings"]["interactivity"]["request_url"] == URL
    assert http["oauth_config"] == socket["oauth_config"]


def test_a_missing_scope_is_named_with_the_feature_it_costs() -> None:
    assert missing(set(SCOPES)) == {}
    assert missing(set(SCOPES) - {"im:history"}) == {"im:history": "answer direct messages"}
