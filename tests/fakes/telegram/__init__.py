"""A strict Telegram: one core, spoken to over HTTP by the real library, or directly."""

from tests.fakes.telegram.core import FakeTelegram
from tests.fakes.telegram.direct import DirectRequest
from tests.fakes.telegram.http import serve
from tests.fakes.telegram.world import Chat, Shown, Version

__all__ = ["Chat", "DirectRequest", "FakeTelegram", "Shown", "Version", "serve"]
