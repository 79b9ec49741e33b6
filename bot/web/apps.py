"""The two apps: what platforms and the world may reach, and what only the operator may."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

import structlog
from aiohttp import web
from aiohttp.typedefs import Handler

from bot.errors import StorageError
from bot.ports import Depth, HttpRoute
from bot.web.admin import Behind, add_pages
from bot.web.guard import body_of, guarded
from bot.web.metrics import CONTENT_TYPE, Metrics
from bot.web.readiness import Readiness

log = structlog.get_logger()


def public_app(routes: Sequence[HttpRoute], readiness: Readiness) -> web.Application:
    """Liveness, readiness and the platforms' own routes."""
    app = guarded()
    app.router.add_get("/livez", _live)
    app.router.add_get("/readyz", _ready(readiness))
    for route in routes:
        app.router.add_route(route.method, route.path, _platform(route))
    return app


def operator_app(
    metrics: Metrics, depth: Callable[[], Awaitable[Depth]], pages: Behind | None = None
) -> web.Application:
    """Metrics and the admin pages. Bound to loopback unless the operator says otherwise."""
    app = guarded()
    app.router.add_get("/metrics", _metrics(metrics, depth))
    if pages is not None:
        add_pages(app, pages)
    return app


async def _live(_request: web.Request) -> web.Response:
    """The event loop turns; nothing else is asked, so that a full disk restarts nobody."""
    return web.Response(text="ok\n")


def _ready(readiness: Readiness) -> Handler:
    async def ready(_request: web.Request) -> web.Response:
        condition = await readiness.condition()
        return web.Response(
            status=200 if condition.ready else 503,
            body=condition.body(),
            content_type="application/json",
        )

    return ready


def _platform(route: HttpRoute) -> Handler:
    async def platform(request: web.Request) -> web.Response:
        body = await body_of(request, route.body_max)
        headers = {name.lower(): text for name, text in request.headers.items()}
        reply = await route.handler(body, headers)
        return web.Response(status=reply.status, body=reply.body, headers=reply.headers)

    return platform


def _metrics(metrics: Metrics, depth: Callable[[], Awaitable[Depth]]) -> Handler:
    async def expose(_request: web.Request) -> web.Response:
        try:
            now = await depth()
        except StorageError as error:
            log.warning("depth_unknown", kind=type(error).__name__)
            now = None
        return web.Response(body=metrics.exposition(now), headers={"Content-Type": CONTENT_TYPE})

    return expose
