"""What stands behind the pages, and one visit to one of them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import field

import structlog
from aiohttp import web

from bot.clock import Clock
from bot.config import Config
from bot.knowledge.base import KnowledgeBase
from bot.office import Door, Files
from bot.ports import Audits, Depth, Ledger
from bot.types import ProviderHealth, value
from bot.web.admin.look import Look

log = structlog.get_logger()

DETAIL_MAX = 120
"""Characters of what a stranger sent, in the audit."""
REFUSALS_PER_MINUTE = 30
"""How many refusals are written down: who hammers at the door fills the log, not the disk."""
MINUTE_MS = 60_000


@value
class Behind:
    """The desk as the pages see it. `sources` as in Loaded; `requeue` takes dead letters' ids."""

    config: Config
    sources: Mapping[str, str]
    clock: Clock
    door: Door
    files: Files
    audits: Audits
    ledger: Ledger
    knowledge: KnowledgeBase
    depth: Callable[[], Awaitable[Depth]]
    requeue: Callable[[Sequence[int]], Awaitable[list[int]]]
    health: Callable[[], tuple[ProviderHealth, ...]]


@value
class Upload:
    """A file that came with a form; `name` has no folders in it."""

    name: str
    content: bytes


@value
class Visit:
    """One request of somebody who is in. `form` is the token their forms must carry."""

    request: web.Request
    behind: Behind
    look: Look
    locale: str
    actor: str = ""
    form: str = ""
    fields: Mapping[str, str] = field(default_factory=dict)
    upload: Upload | None = None

    def page(self, template: str, *, status: int = 200, **values: object) -> web.Response:
        """A page of the house in the visitor's language."""
        text = self.look.page(
            template,
            locale=self.locale,
            actor=self.actor,
            form=self.form,
            path=self.request.path,
            done=self.request.query.get("done", ""),
            **values,
        )
        return web.Response(status=status, text=text, content_type="text/html")

    def asked(self, name: str, most: int = 200) -> str:
        """A parameter of the address, cut to `most` characters; lone surrogates become "?"."""
        return clean(self.request.query.get(name, ""))[:most]

    def number(self, name: str) -> int:
        """A number in the path. Raises HTTPNotFound for one that no row can have."""
        text = self.request.match_info[name]
        if not (text.isascii() and text.isdigit() and len(text) < 16):
            raise web.HTTPNotFound
        return int(text)

    async def note(self, action: str, detail: str = "") -> None:
        """Write down what was done."""
        at = self.behind.clock.now()
        await self.behind.door.note(self.actor, action, detail[:DETAIL_MAX], at=at)


def clean(text: str) -> str:
    """Text that UTF-8 can hold, so that every store takes it."""
    return text.encode("utf-8", "replace").decode()


class Refusals:
    """Writes refusals into the audit, so many a minute; what is beyond goes into the log alone."""

    def __init__(self, behind: Behind) -> None:
        self._behind = behind
        self._minute = 0
        self._written = 0

    async def note(self, actor: str, why: str, request: web.Request) -> None:
        """`why` is ours; method and path are theirs."""
        now = self._behind.clock.now()
        detail = clean(f"{why}: {request.method} {shown(request)}")[:DETAIL_MAX]
        log.warning("admin_refused", actor=actor, why=why)
        if now // MINUTE_MS != self._minute:
            self._minute, self._written = now // MINUTE_MS, 0
        self._written += 1
        if self._written <= REFUSALS_PER_MINUTE:
            await self._behind.door.note(actor, "admin refused", detail, at=now)


def shown(request: web.Request) -> str:
    """The path without the secret of a link."""
    return "/login/…" if request.path.startswith("/login/") else request.path
