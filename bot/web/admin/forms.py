"""What a browser sends with a form: fields, and at most one file."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from urllib.parse import parse_qsl

from aiohttp import BodyPartReader, ClientError, web

from bot.web.admin.behind import Upload, clean
from bot.web.guard import body_of

BODY_MAX = 256 * 1024
"""A form: the longest answer, in Chinese, percent-encoded nine to one."""
FIELDS_MAX = 20
UPLOAD_SECONDS = 120.0
CHUNK = 64 * 1024
NAME_MAX = 120
"""Characters of a file's name that are kept: its end, which says what it is."""

Fields = Mapping[str, str]


async def sent(request: web.Request, most: int) -> tuple[Fields, Upload | None]:
    """The fields, the last of each name, and the file, if there is one of at most `most` bytes.

    Raises HTTPException: 400, 408, 413 or 415 for what no form of ours sends.
    """
    if request.content_type == "application/x-www-form-urlencoded":
        return await _fields(request), None
    if request.content_type == "multipart/form-data":
        return await _parts(request, most)
    raise web.HTTPUnsupportedMediaType


async def _fields(request: web.Request) -> Fields:
    body = await body_of(request, BODY_MAX)
    try:
        pairs = parse_qsl(
            body.decode(), keep_blank_values=True, errors="strict", max_num_fields=FIELDS_MAX
        )
    except ValueError:
        raise web.HTTPBadRequest from None
    return {name: _plain(text) for name, text in pairs}


async def _parts(request: web.Request, most: int) -> tuple[Fields, Upload | None]:
    fields: dict[str, str] = {}
    upload: Upload | None = None
    try:
        async with asyncio.timeout(UPLOAD_SECONDS):
            reader = await request.multipart()
            for _ in range(FIELDS_MAX):
                part = await reader.next()
                if part is None:
                    return fields, upload
                if not isinstance(part, BodyPartReader):
                    raise web.HTTPBadRequest
                if part.filename is None:
                    fields[part.name or ""] = _plain((await _read(part, BODY_MAX)).decode())
                elif upload is None:
                    upload = Upload(name=_name(part.filename), content=await _read(part, most))
    except TimeoutError:
        raise web.HTTPRequestTimeout from None
    except (ValueError, ClientError, ConnectionError, web.RequestPayloadError):
        raise web.HTTPBadRequest from None
    raise web.HTTPBadRequest


async def _read(part: BodyPartReader, most: int) -> bytes:
    """A part whole. Raises HTTPRequestEntityTooLarge beyond `most` bytes."""
    body = bytearray()
    while chunk := await part.read_chunk(CHUNK):
        body += chunk
        if len(body) > most:
            raise web.HTTPRequestEntityTooLarge(max_size=most, actual_size=len(body))
    return bytes(body)


def _plain(text: str) -> str:
    return clean(text).replace("\r\n", "\n")


def _name(given: str) -> str:
    """A name that leads nowhere: no folders, no signs that print nothing."""
    last = clean(given).replace("\\", "/").rpartition("/")[2]
    plain = "".join(sign for sign in last if sign.isprintable()).lstrip(".")
    return plain[-NAME_MAX:] or "file"
