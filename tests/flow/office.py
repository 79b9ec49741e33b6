"""The admin pages over a desk that is spoken to, reached by a browser or by a plain client."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace

import aiohttp

from bot.app import pages_of
from bot.config import Config, HttpConfig
from bot.ports import Intake
from bot.types import (
    Gap,
    IncomingMessage,
    LedgerRow,
    MemoryId,
    PersonId,
    Place,
    Sender,
    Settlement,
    Usage,
)
from bot.web import Metrics, Readiness, serving
from tests.flow.spoken import ADMIN, ANN, BOB, Spoken, spoken

HOSTILE = "<script>document.title='owned'</script>\"'><img src=x onerror=\"alert(1)\">\u202e{{7*7}}"
"""A display name that tries everything a page could fall for."""
SECRET = "not-for-anybodys-eyes"
_FORM = re.compile(r'name="form" value="([0-9a-f]{64})"')


@dataclass
class Answer:
    """What a request led to."""

    status: int
    text: str
    headers: Mapping[str, str]


@dataclass
class Office:
    """The pages of a running desk, and somebody at the keyboard."""

    desk: Spoken
    base: str
    client: aiohttp.ClientSession
    form: str = field(default="")

    async def link(self, user: str = ADMIN) -> str:
        """What /admin answers, on this listener."""
        await self.settle()
        said = (await self.desk.say("/admin", user)).text
        found = re.search(r"/login/[0-9a-f]{64}", said)
        assert found, said
        return self.base + found[0]

    async def login(self) -> None:
        """Ask for a link in chat, open it, press the button."""
        link = await self.link()
        assert (await self.get(link)).status == 200
        assert (await self.post(link)).status == 303
        self.form = found[1] if (found := _FORM.search((await self.get("/")).text)) else ""
        assert self.form

    async def get(self, path: str, **headers: str) -> Answer:
        """Read a page."""
        return await self.request("GET", path, headers)

    async def post(
        self, path: str, fields: Mapping[str, str] | None = None, **headers: str
    ) -> Answer:
        """Send a form as this site's own page does; headers with `_` for `-` say otherwise."""
        given = {"Origin": self.base} | headers
        return await self.request("POST", path, given, {"form": self.form} | dict(fields or {}))

    async def upload(self, name: str, content: bytes) -> Answer:
        """Send a file with the form of the pages."""
        form = aiohttp.FormData({"form": self.form}, quote_fields=False)
        form.add_field("file", content, filename=name)
        url, headers = f"{self.base}/knowledge/import", {"Origin": self.base}
        async with self.client.post(
            url, data=form, headers=headers, allow_redirects=False
        ) as response:
            return Answer(response.status, await response.text(), response.headers)

    async def request(
        self,
        method: str,
        path: str,
        headers: Mapping[str, str],
        fields: Mapping[str, str] | None = None,
    ) -> Answer:
        """One request; redirects are answers too."""
        url = path if path.startswith("http") else self.base + path
        sent = {name.replace("_", "-"): text for name, text in headers.items() if text}
        async with self.client.request(
            method, url, headers=sent, data=fields, allow_redirects=False
        ) as response:
            return Answer(response.status, await response.text(), response.headers)

    async def audit(self) -> list[tuple[str, str, str]]:
        """Actor, action and detail, newest first."""
        return [(e.actor, e.action, e.detail) for e in await self.desk.stores.audits.last(100)]

    async def settle(self) -> None:
        """Whatever the desk wrote to itself or to staff is done."""
        inbox = self.desk.stores.inbox
        while leases := await inbox.lease("me", 9):
            for lease in leases:
                done = Settlement(
                    outcome="answered", memory=MemoryId("m"), person=PersonId(0), ledger=None
                )
                await inbox.settle(lease, done)

    async def bury(self, text: str, name: str) -> None:
        """A message that is given up."""
        place = Place(platform="telegram", account="1", channel=BOB, private=True)
        message = IncomingMessage(
            key=f"dead {text[:20]}",
            place=place,
            sender=Sender(user=BOB, name=name),
            text=text,
            said_at=self.desk.clock.now(),
            position=1,
        )
        inbox = self.desk.stores.inbox
        await inbox.put([Intake(raw="{}", delivery=f"dead {text[:20]}", message=message)])
        [lease] = await inbox.lease("me")
        settlement = Settlement(
            outcome="undeliverable",
            memory=MemoryId("m"),
            person=PersonId(0),
            changes=(Gap(question=f"Do you mend {name}?", locale="en", confidence=0.2),),
            ledger=self.row(route="failed", outcome="undeliverable"),
        )
        await inbox.bury(lease, settlement, error=f"PlatformRefused: {name}")

    def row(self, **given: object) -> LedgerRow:
        """A line of the ledger, now."""
        row = LedgerRow(
            at=self.desk.clock.now(),
            route="direct",
            outcome="answered",
            total_ms=1200,
            first_text_ms=400,
            model="glm",
            usage=Usage(prompt=100, completion=50),
            cost=0.01,
            currency="USD",
        )
        return replace(row, **given)  # type: ignore[arg-type]  # fields are given by name


@asynccontextmanager
async def office(http: HttpConfig | None = None, **changes: object) -> AsyncIterator[Office]:
    """A desk with its pages up; `changes` to its settings."""
    async with (
        spoken() as desk,
        aiohttp.ClientSession(
            cookie_jar=aiohttp.CookieJar(
                unsafe=True
            )  # unsafe: cookies of an address without a name
        ) as client,
    ):
        behind = pages_of(desk.desk)
        config: Config = replace(behind.config, http=http or behind.config.http, **changes)  # type: ignore[arg-type]  # as above
        behind = replace(behind, config=config, sources={"telegram.token": "environment T"})
        readiness = Readiness(write=_written, providers=tuple, clock=desk.clock)
        here = HttpConfig(public="", operator="127.0.0.1:0")
        async with serving(
            here,
            (),
            readiness=readiness,
            metrics=Metrics(),
            depth=behind.depth,
            pages=behind,
        ) as bound:
            yield Office(desk, f"http://127.0.0.1:{bound.operator}", client)


async def _written() -> None:
    """The disk takes everything."""


async def lived_in(here: Office) -> None:
    """Something on every page, under a hostile name."""
    desk = here.desk
    known = desk.desk.knowledge.entries
    await known.add("How long does a refund take?", "Ten days.", by="telegram:1/1")
    await known.add(f"Who is {HOSTILE}?", f"Nobody: {HOSTILE}", by=HOSTILE, aliases=[HOSTILE])
    await desk.say("How long does a refund take?", ANN, name=HOSTILE)
    await desk.say(f"quantum harpsichord {HOSTILE}", ANN, name=HOSTILE)
    await here.settle()
    await desk.say(f"/person {HOSTILE}", ANN, name=HOSTILE)
    await here.settle()
    await here.bury(f"lost {HOSTILE}", HOSTILE)
