"""A real browser, driven as the W3C's WebDriver standard says: JSON over HTTP to chromedriver.

A hundred lines instead of a library: the client is aiohttp, which the desk has anyway.
"""

from __future__ import annotations

import asyncio
import base64
import re
import shutil
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp

ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
TRIES = 3
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
"""The key under which the standard names an element."""


class Refused(Exception):
    """The driver did not do it; what it said."""


class Browser:
    """One window."""

    def __init__(self, client: aiohttp.ClientSession, session: str) -> None:
        self._client = client
        self._session = session

    async def _do(self, method: str, path: str, **body: object) -> Any:
        return await command(self._client, method, f"{self._session}{path}", body)

    async def open(self, url: str) -> None:
        """Go there and wait until it is loaded."""
        await self._do("POST", "/url", url=url)

    async def url(self) -> str:
        """Where the window is."""
        where: str = await self._do("GET", "/url")
        return where

    async def title(self) -> str:
        """What the window is called."""
        title: str = await self._do("GET", "/title")
        return title

    async def find(self, css: str) -> str:
        """An element. Raises Refused when there is none."""
        found = await self._do("POST", "/element", using="css selector", value=css)
        element: str = found[ELEMENT]
        return element

    async def text(self, css: str = "body") -> str:
        """What can be read of an element."""
        text: str = await self._do("GET", f"/element/{await self.find(css)}/text")
        return text

    async def click(self, css: str) -> None:
        """Press it, as a hand would: where something lies above it, Refused."""
        await self._do("POST", f"/element/{await self.find(css)}/click")

    async def follow(self, css: str) -> None:
        """Press what leads elsewhere and wait until the next page is there."""
        await self.run("window.before = true")
        await self.click(css)
        async with asyncio.timeout(30):
            while not await self._arrived():
                await asyncio.sleep(0.02)

    async def _arrived(self) -> bool:
        try:
            arrived: bool = await self.run(
                "return !window.before && document.readyState === 'complete'"
            )
        except Refused:  # between two pages there is nothing to ask
            return False
        return arrived

    async def write(self, css: str, text: str) -> None:
        """Write over what is in a field."""
        element = await self.find(css)
        await self._do("POST", f"/element/{element}/clear")
        await self._do("POST", f"/element/{element}/value", text=text)

    async def type(self, css: str, text: str) -> None:
        """Type into a field; into one for files, the file's path."""
        await self._do("POST", f"/element/{await self.find(css)}/value", text=text)

    async def run(self, script: str) -> Any:
        """What a script of the driver's returns; the page's policy does not bind it."""
        return await self._do("POST", "/execute/sync", script=script, args=[])

    async def resize(self, width: int, height: int) -> None:
        """The window's viewport in CSS pixels, below what a headless window can be too."""
        await self._do(
            "POST",
            "/goog/cdp/execute",
            cmd="Emulation.setDeviceMetricsOverride",
            params={
                "width": width,
                "height": height,
                "deviceScaleFactor": 1,
                "mobile": width < 600,
            },
        )

    async def cookies(self) -> list[dict[str, Any]]:
        """All that this page's site has set."""
        cookies: list[dict[str, Any]] = await self._do("GET", "/cookie")
        return cookies

    async def complaints(self) -> list[str]:
        """What the browser's console was told since it was last asked."""
        entries = await self._do("POST", "/se/log", type="browser")
        return [entry["message"] for entry in entries]

    async def picture(self, path: Path) -> None:
        """The whole page as PNG."""
        shot = await self._do(
            "POST",
            "/goog/cdp/execute",
            cmd="Page.captureScreenshot",
            params={"captureBeyondViewport": True},
        )
        await asyncio.to_thread(path.write_bytes, base64.b64decode(shot["data"]))


async def command(
    client: aiohttp.ClientSession, method: str, url: str, body: Mapping[str, object] | None = None
) -> Any:
    """One command of the standard. Raises Refused."""
    sent = dict(body or {}) if method == "POST" else None
    async with client.request(method, url, json=sent) as response:
        answer = await response.json()
    if response.status != 200:
        raise Refused(f"{answer['value'].get('error')}: {answer['value'].get('message')}")
    return answer["value"]


@asynccontextmanager
async def browser(folder: Path, *, languages: Sequence[str] = ("en",)) -> AsyncIterator[Browser]:
    """A browser with an empty profile in `folder`, closed at the end.

    Fails where there is none: a proof that is left out is none. `make test-web` installs it.
    """
    driver = shutil.which("chromedriver")
    assert driver, "chromedriver is not installed; `make test-web` does that"
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(aiohttp.ClientSession())
        base = f"http://127.0.0.1:{await _started(driver, folder, stack)}"
        options = {
            "args": [*ARGUMENTS, f"--user-data-dir={folder / 'profile'}"],
            "prefs": {"intl.accept_languages": ",".join(languages)},
        }
        wanted = {
            "browserName": "chrome",
            "goog:chromeOptions": options,
            "goog:loggingPrefs": {"browser": "ALL"},
        }
        begun = await command(
            client, "POST", f"{base}/session", {"capabilities": {"alwaysMatch": wanted}}
        )
        session = f"{base}/session/{begun['sessionId']}"
        try:
            yield Browser(client, session)
        finally:
            await command(client, "DELETE", session)


async def _started(driver: str, folder: Path, stack: AsyncExitStack) -> int:
    """The port of a driver. It takes a free one for IPv4 and gives up when the same is taken for
    IPv6, or by a neighbour in between; so it is asked a few times.
    """
    for _ in range(TRIES):
        process = await asyncio.create_subprocess_exec(
            driver,
            "--port=0",
            f"--log-path={folder / 'driver.log'}",
            stdout=asyncio.subprocess.PIPE,
        )
        stack.push_async_callback(_end, process)
        if port := await _port(process):
            return port
    raise AssertionError("chromedriver did not start")


async def _port(process: asyncio.subprocess.Process) -> int:
    """The port the driver chose, which it tells in words; 0: it ended without one."""
    assert process.stdout
    async with asyncio.timeout(30):
        while line := await process.stdout.readline():
            if found := re.search(rb"started successfully on port (\d+)", line):
                return int(found[1])
    return 0


async def _end(process: asyncio.subprocess.Process) -> None:
    if process.returncode is None:
        process.terminate()
    await process.communicate()
