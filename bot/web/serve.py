"""Puts both listeners up for as long as a block lasts."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager

from bot.config import HttpConfig
from bot.ports import Depth, HasRoutes
from bot.types import value
from bot.web.admin import Behind
from bot.web.apps import operator_app, public_app
from bot.web.listener import listening
from bot.web.metrics import Metrics
from bot.web.readiness import Readiness

PUBLIC = "FRONTDESK_HTTP"
OPERATOR = "FRONTDESK_ADMIN_HTTP"


@value
class Bound:
    """The ports that are listened on; None for a listener that is off."""

    public: int | None = None
    operator: int | None = None


@asynccontextmanager
async def serving(
    http: HttpConfig,
    adapters: Iterable[object],
    *,
    readiness: Readiness,
    metrics: Metrics,
    depth: Callable[[], Awaitable[Depth]],
    pages: Behind | None = None,
) -> AsyncIterator[Bound]:
    """Serve adapters' routes, where they have some, health, metrics (`Inbox.depth`), admin pages.

    Leaving takes no new requests and lets those under way finish. Raises ConfigError.
    """
    routes = [route for one in adapters if isinstance(one, HasRoutes) for route in one.routes()]
    public = operator = None
    async with AsyncExitStack() as stack:
        if http.public:
            app = public_app(routes, readiness)
            public = await stack.enter_async_context(listening(app, http.public, setting=PUBLIC))
        if http.operator:
            app = operator_app(metrics, depth, pages)
            operator = await stack.enter_async_context(
                listening(app, http.operator, setting=OPERATOR)
            )
        yield Bound(public=public, operator=operator)
