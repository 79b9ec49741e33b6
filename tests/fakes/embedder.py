"""Embedders for tests: one in the process, and a strict `/embeddings` endpoint on 127.0.0.1.

What embedding-3 refuses, the endpoint refuses, with its business codes (docs.bigmodel.cn).
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import math
import re
from array import array
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from aiohttp import web

from bot.errors import ModelError

KEY = "fakeid.fakesecret"
LENGTHS = frozenset({256, 512, 1024, 2048})
SAME = {"hund": "dog", "狗": "dog", "offen": "open", "营业": "open", "geld": "money", "钱": "money"}
"""Words that mean the same to these embedders."""


def meaning(text: str, length: int = 64) -> array[float]:
    """A unit vector by words: each has a direction of its own, those in SAME share one."""
    total = [0.001] * length
    for word in re.findall(r"[a-z]+|[一-鿿]{1,2}", text.casefold()):
        seed = hashlib.sha256(SAME.get(word, word).encode()).digest() * (length // 32 + 1)
        for at in range(length):
            total[at] += seed[at] / 127.5 - 1
    size = math.sqrt(sum(number * number for number in total))
    return array("f", [number / size for number in total])


class Words:
    """`ports.Embedder` without a model. `before` runs before each call and may raise."""

    def __init__(self, *, name: str = "words/64", batch: int = 4) -> None:
        self.name = name
        self.batch = batch
        self.batch_chars = 1000
        self.asked: list[tuple[tuple[str, ...], bool]] = []
        self.before: Callable[[Sequence[str]], Awaitable[None]] | None = None

    @property
    def texts(self) -> list[str]:
        """Texts of the base that were embedded, in order."""
        return [text for texts, query in self.asked if not query for text in texts]

    async def embed(self, texts: Sequence[str], *, query: bool) -> list[array[float]]:
        self.asked.append((tuple(texts), query))
        if self.before is not None:
            await self.before(texts)
        return [meaning(text) for text in texts]

    async def close(self) -> None:
        return


def failing(error: ModelError) -> Callable[[Sequence[str]], Awaitable[None]]:
    """A `before` that always raises this."""

    async def fail(_texts: Sequence[str]) -> None:
        raise error

    return fail


@dataclass
class FakeEmbeddings:
    """The endpoint. `script` holds what the next calls do instead of answering."""

    script: deque[Callable[[list[str], int], Awaitable[web.Response]]] = field(
        default_factory=deque
    )
    calls: list[dict[str, Any]] = field(default_factory=list)
    url: str = ""
    _runner: web.AppRunner | None = None

    async def __aenter__(self) -> Self:
        app = web.Application()
        app.router.add_post("/v4/embeddings", self._serve)
        self._runner = web.AppRunner(app)
        await self._runner.setup()
        site = web.TCPSite(self._runner, "127.0.0.1", 0)
        await site.start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}/v4"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    async def _serve(self, request: web.Request) -> web.Response:
        if request.headers.get("Authorization") != f"Bearer {KEY}":
            return refused("1002", "Authorization Token is invalid", 401)
        body = await request.json()
        self.calls.append(body)
        texts, length = body.get("input"), body.get("dimensions", 2048)
        if set(body) - {"model", "input", "dimensions"} or body.get("model") != "embedding-3":
            return refused("1210", "bad field")
        if not isinstance(texts, list) or not 1 <= len(texts) <= 64 or not all(texts):
            return refused("1214", "input is 1 to 64 texts, none of them empty")
        if length not in LENGTHS or max(map(len, texts)) > 3072:
            return refused("1214", "dimensions or length")
        if self.script:
            return await self.script.popleft()(texts, length)
        return given([list(meaning(text, length)) for text in texts])


def given(vectors: Sequence[Sequence[float]], order: Sequence[int] | None = None) -> web.Response:
    """A reply as the real one writes it."""
    data = [
        {"object": "embedding", "index": at, "embedding": list(vectors[at])}
        for at in (order if order is not None else range(len(vectors)))
    ]
    usage = {"prompt_tokens": 1, "completion_tokens": 0, "total_tokens": 1}
    return web.json_response(
        {"model": "embedding-3", "object": "list", "data": data, "usage": usage}
    )


def refused(code: str, message: str, status: int = 400, **headers: str) -> web.Response:
    """An error as GLM writes it."""
    body = {"error": {"code": code, "message": message}}
    return web.json_response(body, status=status, headers=headers)


async def busy(_texts: list[str], _length: int) -> web.Response:
    """Too fast."""
    return refused("1302", "concurrency", 429)


async def broken(_texts: list[str], _length: int) -> web.Response:
    """The provider's own failure."""
    return web.Response(status=500, text="<html>oops</html>")


async def spent(_texts: list[str], _length: int) -> web.Response:
    """No money."""
    return refused("1113", "balance", 429)


async def disguised(_texts: list[str], _length: int) -> web.Response:
    """An error inside a 200."""
    return refused("1301", "unsafe", 200)


async def shorter(texts: list[str], length: int) -> web.Response:
    """Vectors of another length than was asked for."""
    return given([list(meaning(text, length // 2)) for text in texts])


async def fewer(texts: list[str], length: int) -> web.Response:
    """One vector too few."""
    return given([list(meaning(text, length)) for text in texts[1:]])


async def twice(texts: list[str], length: int) -> web.Response:
    """The same number twice."""
    vectors = [list(meaning(text, length)) for text in texts]
    return given(vectors, order=[0] * len(vectors))


async def backwards(texts: list[str], length: int) -> web.Response:
    """All there, in another order."""
    vectors = [list(meaning(text, length)) for text in texts]
    return given(vectors, order=range(len(vectors))[::-1])


async def nan(texts: list[str], length: int) -> web.Response:
    """No numbers, as Python's own writer puts them."""
    data = [{"index": at, "embedding": [math.nan] * length} for at in range(len(texts))]
    return web.Response(text=json.dumps({"data": data}), content_type="application/json")


async def zeros(texts: list[str], length: int) -> web.Response:
    """Vectors that point nowhere."""
    return given([[0.0] * length for _ in texts])


async def endless(_texts: list[str], _length: int) -> web.Response:
    """Much more than anybody asked for, packed small on the wire."""
    response = web.Response(body=b" " * (2 << 20))
    response.enable_compression()
    return response


async def hangs(texts: list[str], length: int) -> web.Response:
    """Slower than anybody waits."""
    await asyncio.sleep(30)
    return await backwards(texts, length)
