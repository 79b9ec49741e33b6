"""The fake as a process of its own, so that the desk can be killed and it lives on.

`python -m tests.fakes.slack --port 0` prints its address as the first line. `/control/` steers it.
"""

from __future__ import annotations

import argparse
import asyncio
from dataclasses import asdict
from typing import Any

from aiohttp import web

from tests.fakes.slack.server import FakeSlack


class Standalone(FakeSlack):
    """FakeSlack with a steering wheel."""

    def extend(self, app: web.Application) -> None:
        app.router.add_post("/control/{what}", self._control)
        app.router.add_get("/control/transcript", self._transcript)

    async def _control(self, request: web.Request) -> web.Response:
        """say, edit, erase, command, press, target, faults, cut, disconnect; arguments in JSON."""
        asked: dict[str, Any] = await request.json() if request.can_read_body else {}
        answer: Any = None
        match request.match_info["what"]:
            case "say" | "edit" | "erase" | "command" as what:
                done = getattr(self, what)(**asked)
                answer = done if isinstance(done, str) else None
            case "press":
                on = self.core.messages[asked["channel"], asked["ts"]]
                self.press(asked["user"], on, asked["label"])
            case "target":
                self.target = asked["url"]
            case "faults":
                numbered = {int(k) if k.isdecimal() else k: v for k, v in asked.items()}
                self.faults.update(numbered)
            case "cut":
                await self.cut()
            case "disconnect":
                await self.disconnect()
            case _:
                return web.Response(status=404)
        return web.json_response({"answer": answer})

    async def _transcript(self, request: web.Request) -> web.Response:
        """All that was shown, called and delivered so far."""
        core = self.core
        return web.json_response(
            {
                "messages": [{**asdict(m), "markdown": m.markdown} for m in core.messages.values()],
                "whispers": [{**asdict(m), "markdown": m.markdown} for m in core.whispers],
                "calls": [asdict(call) for call in core.calls],
                "pings": core.pings,
                "links": core.links,
                "deliveries": [asdict(delivery) for delivery in self.deliveries],
                "open": len(self._tasks),
                "sockets": len(self.sockets),
            }
        )


async def main(port: int, *, tiers: bool) -> None:
    """Serve until killed."""
    fake = Standalone(tiers=tiers)
    await fake.start(port)
    print(fake.url, flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--no-tiers", action="store_true", help="refuse no call as too fast")
    given = parser.parse_args()
    asyncio.run(main(given.port, tiers=not given.no_tiers))
