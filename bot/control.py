"""A second process talks to the running desk: one request and one reply, a line of JSON each.

The socket stands beside the database and belongs to the desk's own user alone. Whoever can connect
may already read and write the database file, so there is nothing else to prove.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import structlog

from bot import errors
from bot.errors import BotError, Cause, DeskDown, KnowledgeError, UserError

log = structlog.get_logger()

Handler = Callable[..., Awaitable[Any]]
"""Takes the request's arguments by keyword; what it returns must be plain JSON."""

LINE_MAX = 1 << 20
_PATH_MAX = 100  # sun_path holds 104 bytes on macOS and 108 on Linux
_HANGUP = (ConnectionError, asyncio.IncompleteReadError, asyncio.LimitOverrunError)


class _Request(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    word: str
    arguments: dict[str, Any] = {}


class _Reply(msgspec.Struct, frozen=True, omit_defaults=True):
    """A result, or an error by its class in bot.errors.

    `values` are those of a UserError, `cause` is that of a KnowledgeError.
    """

    result: Any = None
    error: str = ""
    detail: str = ""
    values: dict[str, Any] = {}
    cause: Cause | None = None


def socket_path(database: str) -> Path:
    """Where the desk on this database listens."""
    return Path(f"{database}.sock")


class ControlServer:
    """Listens at `path` and calls the handler that a request names.

    Start it only while holding the database's lock: a socket that is there already is then a dead
    one's, and is replaced.
    """

    def __init__(self, path: Path, handlers: Mapping[str, Handler]) -> None:
        self._path = path
        self._handlers = dict(handlers)
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Begin to listen. With a path too long for a socket the desk runs uncommanded."""
        if len(os.fsencode(self._path)) > _PATH_MAX:
            log.warning("control_off", why=f"the database's path is longer than {_PATH_MAX} bytes")
            return
        self._path.unlink(missing_ok=True)
        listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        mask = os.umask(0o177)  # the socket is owner-only from its first moment
        try:
            listening.bind(os.fspath(self._path))
        finally:
            os.umask(mask)
        self._server = await asyncio.start_unix_server(self._serve, sock=listening, limit=LINE_MAX)

    async def close(self) -> None:
        """Stop listening and take the socket away."""
        if self._server is not None:
            self._server.close()
            self._path.unlink(missing_ok=True)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            if _is_ours(writer):
                line = await reader.readuntil(b"\n")
                writer.write(msgspec.json.encode(await self._reply(line)) + b"\n")
                await writer.drain()
        except _HANGUP:
            log.info("control_hangup")
        finally:
            writer.close()

    async def _reply(self, line: bytes) -> _Reply:
        try:
            request = msgspec.json.decode(line, type=_Request)
        except msgspec.MsgspecError as error:
            return _Reply(error="BotError", detail=f"not a request: {error}")
        handler = self._handlers.get(request.word)
        if handler is None:
            return _Reply(error="BotError", detail=f"the desk knows no {request.word!r}")
        try:
            return _Reply(result=await handler(**request.arguments))
        except UserError as error:
            return _Reply(error="UserError", detail=error.key, values=error.values)
        except KnowledgeError as error:
            return _Reply(error="KnowledgeError", detail=str(error), cause=error.cause)
        except BotError as error:
            return _Reply(error=type(error).__name__, detail=str(error))


def _is_ours(writer: asyncio.StreamWriter) -> bool:
    """The peer is this user or root; where the system cannot tell, file permissions have spoken."""
    peer = writer.get_extra_info("socket")
    if not hasattr(socket, "SO_PEERCRED"):
        return True
    _, uid, _ = struct.unpack("3i", peer.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12))
    return uid in {0, os.geteuid()}


async def call(path: Path, word: str, /, **arguments: Any) -> Any:
    """Ask the desk that listens at `path`, and wait as long as it takes.

    Raises DeskDown when there is none or it breaks off, else the BotError that its handler raised.
    """
    if len(os.fsencode(path)) > _PATH_MAX:
        raise DeskDown
    try:
        reader, writer = await asyncio.open_unix_connection(path, limit=LINE_MAX * 16)
    except OSError as error:
        raise DeskDown from error
    try:
        request = _Request(word=word, arguments=arguments)
        writer.write(msgspec.json.encode(request) + b"\n")
        line = await reader.readuntil(b"\n")
    except _HANGUP as error:
        raise DeskDown("the desk broke off before it answered") from error
    finally:
        writer.close()
    return _result(msgspec.json.decode(line, type=_Reply))


async def running_at(path: Path) -> bool:
    """Whether a desk listens there."""
    if len(os.fsencode(path)) > _PATH_MAX:
        return False
    try:
        _, writer = await asyncio.open_unix_connection(path)
    except OSError:
        return False
    writer.close()
    return True


def _result(reply: _Reply) -> Any:
    if not reply.error:
        return reply.result
    if reply.error == "UserError":
        raise UserError(reply.detail, **reply.values)
    if reply.error == "KnowledgeError":
        raise KnowledgeError(reply.detail, cause=reply.cause)
    kind = getattr(errors, reply.error, BotError)
    raise kind(reply.detail)
