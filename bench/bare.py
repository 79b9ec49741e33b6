"""The least a streaming bot can do, as the measure of what the desk adds: `python -m bench.bare`.

The library over aiohttp, a post, an edit each second, a last edit; no storage, no order, no retry,
nothing survives. It takes the desk's settings, so that it can stand in its place in a benchmark.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import AsyncIterator

import aiohttp
import telegram

from adapters.telegram.request import AiohttpRequest, posted
from bot.config import ModelConfig

EDIT_SECONDS = 1.0
PLAIN = telegram.LinkPreviewOptions(is_disabled=True)


async def deltas(session: aiohttp.ClientSession, question: str) -> AsyncIterator[str]:
    """The model's text, as it comes."""
    body = {
        "model": ModelConfig().name,
        "stream": True,
        "messages": [{"role": "user", "content": question}],
    }
    url = os.environ["MODEL_BASE_URL"].rstrip("/") + "/chat/completions"
    key = {"Authorization": f"Bearer {os.environ['MODEL_API_KEY']}"}
    async with session.post(url, json=body, headers=key, raise_for_status=True) as response:
        async for line in response.content:
            if line.startswith(b"data: {"):
                for choice in json.loads(line[6:])["choices"]:
                    yield choice["delta"].get("content") or ""


async def answer(
    bot: telegram.Bot, session: aiohttp.ClientSession, message: telegram.Message
) -> None:
    """One reply, from its placeholder to its last edit."""
    chat = message.chat_id
    sent = posted(await bot.send_message(chat, "…", link_preview_options=PLAIN))
    assert sent is not None
    text, shown, edited_at = "", "", time.monotonic()
    async for delta in deltas(session, message.text or ""):
        text += delta
        if time.monotonic() - edited_at >= EDIT_SECONDS and text.strip() != shown:
            edited_at, shown = time.monotonic(), text.strip()
            await _show(bot, chat, sent, shown)
    if text.strip() != shown:
        await _show(bot, chat, sent, text.strip())


async def _show(bot: telegram.Bot, chat: int, sent: int, text: str) -> None:
    await bot.edit_message_text(text, chat, sent, link_preview_options=PLAIN)


async def run() -> None:
    """Answer until killed."""
    request = AiohttpRequest()
    root = os.environ["TELEGRAM_API_ROOT"].rstrip("/")
    bot = telegram.Bot(
        os.environ["TELEGRAM_BOT_TOKEN"],
        base_url=f"{root}/bot",
        request=request,
        get_updates_request=AiohttpRequest(),
    )
    offset = 0
    running: set[asyncio.Task[None]] = set()
    async with bot, aiohttp.ClientSession() as session:
        while True:
            for update in await bot.get_updates(offset=offset, timeout=30):
                offset = update.update_id + 1
                if update.message is not None:
                    task = asyncio.create_task(answer(bot, session, update.message))
                    running.add(task)
                    task.add_done_callback(running.discard)


if __name__ == "__main__":
    asyncio.run(run())
