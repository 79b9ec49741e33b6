"""What stands around every HTTP handler: errors become answers, and no answer tells too much."""

from __future__ import annotations

import asyncio

import structlog
from aiohttp import ClientError, web
from aiohttp.typedefs import Handler

from bot.errors import BotError

log = structlog.get_logger()

BODY_SECONDS = 15.0
"""A body arrives within this; platforms give up on us sooner than that."""
RETRY_SECONDS = 5.0
"""When to send again what could not be stored, where the error names no time."""


def guarded() -> web.Application:
    """An empty app whose handlers may raise whatever they like."""
    app = web.Application(middlewares=[guard])
    app.on_response_prepare.append(_plain_headers)
    return app


@web.middleware
async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Retryable errors of ours are 503, all others are logged and 500."""
    try:
        return await handler(request)
    except web.HTTPException:
        raise
    except BotError as error:
        if not error.retryable:
            log.exception("request_failed", path=request.path)
            return web.Response(status=500)
        log.warning("request_put_off", path=request.path, kind=type(error).__name__)
        seconds = round(error.retry_after or RETRY_SECONDS)
        return web.Response(status=503, headers={"Retry-After": str(max(1, seconds))})
    except Exception:  # guard: a bug in one request ends no other
        log.exception("request_crashed", path=request.path)
        return web.Response(status=500)


async def body_of(request: web.Request, most: int) -> bytes:
    """The whole body. Raises HTTPException: 413 beyond `most` bytes, 408 when it comes too slowly,
    400 when it breaks off.
    """
    if (request.content_length or 0) > most:
        raise web.HTTPRequestEntityTooLarge(max_size=most, actual_size=request.content_length or 0)
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for piece in request.content.iter_any():
                body += piece
                if len(body) > most:
                    raise web.HTTPRequestEntityTooLarge(max_size=most, actual_size=len(body))
    except TimeoutError:
        raise web.HTTPRequestTimeout from None
    except (ClientError, ConnectionError, web.RequestPayloadError):
        raise web.HTTPBadRequest from None
    return bytes(body)


async def _plain_headers(_request: web.Request, response: web.StreamResponse) -> None:
    """No version of ours or of a library; nothing here is for caches."""
    response.headers["Server"] = "frontdesk"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers.setdefault("Cache-Control", "no-store")
