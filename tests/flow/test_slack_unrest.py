"""Slack in unrest while a model writes: the answer ends whole all the same, and stands once."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
from aiohttp import web

from tests.fakes.glm import Call, FakeGlm, frame, opened, sse, usage_of
from tests.fakes.slack import FakeSlack
from tests.flow.slack_desk import until
from tests.flow.slack_service import says, served

HEAD = [f"First word {number}, " for number in range(20)]
TAIL = [f"later word {number}, " for number in range(20)]
WHOLE = "".join(HEAD + TAIL) + "and the end."
NEEDED = {
    "edits": {"apps.connections.open", "auth.test", "chat.postMessage", "chat.update"},
    "native": {"apps.connections.open", "auth.test", "chat.startStream", "chat.stopStream"},
}
"""What every answer over Socket Mode needs, whatever else is called."""


class Narrator:
    """A model that tells the first half, and the second only when it is let."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()

    async def __call__(self, glm: FakeGlm, request: web.Request, call: Call) -> web.StreamResponse:
        response = await opened(request)
        await self._write(response, HEAD)
        await self.go_on.wait()
        await self._write(response, TAIL)
        usage = usage_of("x", "y")
        await response.write(sse(frame("and the end.", finish="stop", usage=usage)))
        return response

    async def _write(self, response: web.StreamResponse, words: Sequence[str]) -> None:
        for word in words:
            await response.write(sse(frame(word), done=False))


@pytest.fixture
async def slack() -> AsyncIterator[FakeSlack]:
    """One person; calls are not metered."""
    fake = FakeSlack(tiers=False)
    await fake.start()
    fake.core.users = {"U1": {"real_name": "Ann", "locale": "en-US"}}
    fake.core.channels["D2"] = "im"
    yield fake
    await fake.close()


async def answered(slack: FakeSlack, narrator: Narrator) -> None:
    """Ask, see the first half, let the rest come, and wait for its end."""
    slack.say("U1", "D1", "Tell me a story")
    await until(lambda: says(slack, "D1", "First word 0"))
    narrator.go_on.set()
    await until(lambda: says(slack, "D1", "and the end."))


def stands_once(slack: FakeSlack) -> None:
    (answer,) = slack.core.shown("D1")
    assert answer.markdown.count(WHOLE) == 1


async def connected_anew(slack: FakeSlack, first: web.WebSocketResponse) -> None:
    """The SDK looks after its connection every few seconds, so this takes about five."""
    async with asyncio.timeout(30):
        while not slack.sockets or first in slack.sockets:
            await asyncio.sleep(0.05)


@pytest.mark.soak
@pytest.mark.parametrize("way", ["replaced", "cut"])
async def test_a_socket_lost_in_the_middle_of_an_answer_harms_it_not(
    slack: FakeSlack, tmp_path: Path, way: str
) -> None:
    """Announced as Slack does, or without a word; what is said then comes in by the new one."""
    narrator = Narrator()
    async with FakeGlm(default=narrator) as glm, served(slack, "socket", tmp_path, glm=glm):
        slack.say("U1", "D1", "Tell me a story")
        await until(lambda: says(slack, "D1", "First word 0"))
        first = slack.sockets[0]
        await (slack.disconnect() if way == "replaced" else slack.cut())
        await connected_anew(slack, first)
        assert not says(slack, "D1", "later word")
        narrator.go_on.set()
        await until(lambda: says(slack, "D1", "and the end."))
        stands_once(slack)
        slack.say("U1", "D2", "And another one")
        await until(lambda: says(slack, "D2", "and the end."))
        await slack.settled()
    stands_once(slack)
    assert len(glm.calls) == 2


@pytest.mark.soak
@pytest.mark.parametrize("streaming", NEEDED)
async def test_a_429_on_every_method_that_an_answer_needs_leaves_it_whole_and_once(
    streaming: str, slack: FakeSlack, tmp_path: Path
) -> None:
    """Which those are is seen from an answer in peace; then each is refused once, in one go.

    But for the start of a stream: one that is refused is none, and the answer goes by edits.
    """
    peace = FakeSlack(tiers=False)
    await peace.start()
    peace.core.users = dict(slack.core.users)
    for number, fake in enumerate((peace, slack)):
        folder = tmp_path / str(number)
        folder.mkdir()
        narrator = Narrator()
        async with (
            FakeGlm(default=narrator) as glm,
            served(fake, "socket", folder, glm=glm, streaming=streaming),
        ):
            await answered(fake, narrator)
            await fake.settled()
        stands_once(fake)
        if fake is peace:
            needed = {call.method for call in peace.core.calls}
            slack.faults.update(dict.fromkeys(needed - {"chat.startStream"}, "429"))
    await peace.close()
    assert needed >= NEEDED[streaming]
    assert slack.faults == {}
    refused = {call.method for call in slack.core.calls if call.outcome == "429"}
    assert refused == needed - {"chat.startStream"}
