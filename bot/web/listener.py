"""One listener: its address, its start, its orderly end."""

from __future__ import annotations

import errno
import re
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from bot.errors import ConfigError

CLOSE_SECONDS = 5.0
"""Requests under way may finish within this: a webhook's row takes milliseconds to store."""

_ADDRESS = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<host>[^\s:/\[\]]+)):(?P<port>\d{1,5})")


def parse(address: str, *, setting: str) -> tuple[str, int]:
    """Host and port of `host:port` or `[::1]:port`. Raises ConfigError that names the setting."""
    found = _ADDRESS.fullmatch(address)
    if not found or int(found["port"]) > 65535:
        raise ConfigError(f"{setting}: expected host:port, as 127.0.0.1:8080, not {address!r}")
    return found["six"] or found["host"], int(found["port"])


@asynccontextmanager
async def listening(app: web.Application, address: str, *, setting: str) -> AsyncIterator[int]:
    """Serve `app` until the block ends; yields the port, which the system chose where it was 0.

    Raises ConfigError when the address cannot be had, naming the setting to change.
    """
    host, port = parse(address, setting=setting)
    runner = web.AppRunner(
        app, access_log=None, handle_signals=False, shutdown_timeout=CLOSE_SECONDS
    )
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, host, port).start()
        except OSError as error:
            raise ConfigError(f"{setting}: {_refusal(address, error)}") from error
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def _refusal(address: str, error: OSError) -> str:
    """Why nothing can listen there, and what to do about it."""
    if isinstance(error, socket.gaierror):
        return f"no machine is called as in {address}; expected an address of this one"
    if error.errno == errno.EADDRINUSE:
        return f"{address} is in use by another program; stop it, or set another port here"
    if error.errno in {errno.EADDRNOTAVAIL, None}:  # None: asyncio's own words, Python 3.13 on
        return f"{address} is not an address of this machine; expected one, or 0.0.0.0 for all"
    if error.errno == errno.EACCES:
        return f"{address} may not be used by this user; expected a port from 1024 up"
    return f"cannot listen on {address}: {error.strerror}"
