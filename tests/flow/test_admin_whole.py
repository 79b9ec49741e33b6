"""From the chat to the pages: the whole desk, Telegram's own library, a real listener."""

from __future__ import annotations

import re
import socket
from pathlib import Path

import aiohttp

from bot.config import HttpConfig
from bot.i18n import say
from tests.flow.running import ADMIN, Running, running, until


def free_port() -> int:
    """One that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
    return port


def last_text(run: Running) -> str:
    """What the admin's chat shows last."""
    return "".join(run.telegram.screen(run.telegram.private(ADMIN))[-1:])


async def test_the_link_that_telegram_shows_opens_the_pages(tmp_path: Path) -> None:
    """No letter of it is lost on the way, and what was said in chat can be read on the pages."""
    base = f"http://127.0.0.1:{(port := free_port())}"
    http = HttpConfig(public="", operator=f"127.0.0.1:{port}")
    async with running(tmp_path / "desk.db", http=http) as run:
        admin = run.telegram.private(ADMIN)
        run.telegram.say(admin, "/admin")
        await until(lambda: "/login/" in last_text(run) and run.service.idle)
        found = re.search(rf"{base}/login/[0-9a-f]{{64}}", last_text(run))
        assert found
        async with aiohttp.ClientSession(cookie_jar=aiohttp.CookieJar(unsafe=True)) as client:
            async with client.post(found[0], headers={"Origin": base}) as response:
                assert str(response.url) == f"{base}/"
                page = await response.text()
            assert say("en", "admin.room_overview") in page
            assert "glm-4.7-flash" in page
            async with client.get(f"{base}/settings") as response:
                assert run.telegram.token not in await response.text()
