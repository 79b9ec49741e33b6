"""The fake's second front: the real library calls it without a socket, on any clock."""

from __future__ import annotations

from typing import Any

from telegram.error import NetworkError
from telegram.request import BaseRequest, RequestData

from adapters.telegram.request import AiohttpRequest, Flooded, NotSent, retry_seconds
from tests.fakes.telegram.core import FakeTelegram


class DirectRequest(AiohttpRequest):
    """Carries requests to the fake; each takes `latency` seconds of the fake's clock."""

    def __init__(self, fake: FakeTelegram, *, latency: float = 0.12) -> None:
        super().__init__()
        self._fake = fake
        self._latency = latency

    async def initialize(self) -> None:
        return

    async def shutdown(self) -> None:
        return

    async def do_request(
        self,
        url: str,
        method: str,
        request_data: RequestData | None = None,
        read_timeout: Any = BaseRequest.DEFAULT_NONE,
        write_timeout: Any = BaseRequest.DEFAULT_NONE,
        connect_timeout: Any = BaseRequest.DEFAULT_NONE,
        pool_timeout: Any = BaseRequest.DEFAULT_NONE,
    ) -> tuple[int, bytes]:
        path, _, query = url.partition("?")
        token, name = path.rsplit("/", 2)[-2:]
        await self._fake.clock.sleep(self._latency / 2)
        answer = await self._fake.call(
            token.removeprefix("bot"), name, _parameters(request_data, query)
        )
        await self._fake.clock.sleep(self._latency / 2)
        if answer.lost == "unsent":
            raise NotSent("no connection")
        if answer.lost:
            raise NetworkError("the connection broke")
        if answer.status == 429:
            raise Flooded(retry_seconds(answer.payload, ""))
        return answer.status, answer.payload


def _parameters(data: RequestData | None, query: str) -> dict[str, Any]:
    from urllib.parse import parse_qsl

    found: dict[str, Any] = dict(parse_qsl(query))
    if data is not None:
        found |= data.parameters
        for name, (filename, content, _) in (data.multipart_data or {}).items():
            found[name] = (filename, content)
    return found
