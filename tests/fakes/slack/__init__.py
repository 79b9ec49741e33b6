"""A strict Slack: Web API, signed HTTP events, Socket Mode; spoken to by the real SDK and Bolt."""

from tests.fakes.slack.core import BOT, SlackCore
from tests.fakes.slack.server import APP_TOKEN, BOT_TOKEN, SIGNING_SECRET, FakeSlack

__all__ = ["APP_TOKEN", "BOT", "BOT_TOKEN", "SIGNING_SECRET", "FakeSlack", "SlackCore"]
