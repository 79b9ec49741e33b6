"""The fake as a process of its own: `python -m tests.fakes.telegram --port 0`.

Prints one line of JSON with its URL and token, then serves until it is ended.
"""

from __future__ import annotations

import argparse
import asyncio
import json

from tests.fakes.telegram import FakeTelegram, serve


async def run(options: argparse.Namespace) -> None:
    fake = FakeTelegram(
        token=options.token,
        seed=options.seed,
        refuse=options.refuse,
        lose=options.lose,
        duplicate=options.duplicate,
        flood=not options.no_flood,
    )
    for user in range(1, options.people + 1):
        fake.private(user)
    async with serve(fake, options.port) as root:
        print(json.dumps({"root": root, "token": fake.token}), flush=True)
        await asyncio.Event().wait()


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests.fakes.telegram")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--token", default="4242:test-token")
    parser.add_argument("--seed", type=int, default=0)
    for chance in ("refuse", "lose", "duplicate"):
        parser.add_argument(f"--{chance}", type=float, default=0.0)
    parser.add_argument("--people", type=int, default=0, help="private chats 1..N exist already")
    parser.add_argument("--no-flood", action="store_true")
    try:
        asyncio.run(run(parser.parse_args()))
    except KeyboardInterrupt:
        return


if __name__ == "__main__":
    main()
