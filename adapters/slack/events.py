"""From Slack's payload to a row on disk, then the acknowledgement; the same for both transports.

Bolt verifies signatures, answers challenges and drops our own events. One global middleware takes
everything else, so nothing is "unhandled", which Slack would count as a failure.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from weakref import WeakValueDictionary

from adapters.slack.calls import Calls
from adapters.slack.growing import Growing
from adapters.slack.normalise import (
    Me,
    Setting,
    Words,
    author,
    calls_me,
    delivery_of,
    joined_thread,
    normalise,
    raw_of,
    subject,
)
from adapters.slack.readable import readable
from bot.clock import Clock
from bot.errors import NotWelcome, PlatformError, PlatformRefused, StorageError
from bot.i18n import say
from bot.ports import Intake, Sink
from bot.types import Place, Sender

if TYPE_CHECKING:
    from slack_bolt.app.async_app import AsyncApp
    from slack_sdk.web.async_client import AsyncWebClient

Party = Callable[[Place], Awaitable[Collection[str]]]
"""Who the desk is in exchange with in a thread; empty when it is not, or was told to be quiet."""

LOOKUP_SECONDS = 1.0
"""What may be spent before the acknowledgement on a name or a thread: Slack waits 3 s in all."""
NAME_SECONDS = 3600.0
UNKNOWN_SECONDS = 60.0
NAMES = 5_000
VERDICT = re.compile(r"/feedback (?:up|down) \d{1,18}", re.ASCII)
GROUP_SECONDS = 300.0
"""How long the members of a user group are taken for known."""
THREADS = 200
THREAD_MESSAGES = 30
PAGE = 200
"""Messages of a thread asked for at once: what Slack recommends at most."""
THREAD_CHARACTERS = 3_000
THANKS_MAX = 64
"""Thanks for verdicts on their way at once; beyond them a verdict is kept without."""

log = logging.getLogger("frontdesk.slack")


async def nobody(place: Place) -> Collection[str]:
    """No thread is engaged: every question needs a mention."""
    return ()


@dataclass
class Members:
    """Who belongs to a user group, and until when that is taken for known."""

    users: frozenset[str] = frozenset()
    until: float = float("-inf")


class Events:
    """Takes payloads in. `sink` is None while nobody stores: then nothing is acknowledged."""

    def __init__(
        self,
        me: Me,
        calls: Calls,
        clock: Clock,
        *,
        party: Party,
        words: Words,
        context: bool,
        growing: Growing,
        groups: Collection[str] = (),
    ) -> None:
        self.sink: Sink | None = None
        self._me = me
        self._calls = calls
        self._clock = clock
        self._party = party
        self._words = words
        self._context = context
        self._growing = growing
        self._members = {group: Members() for group in sorted(groups)}
        self._thanks: set[asyncio.Task[None]] = set()
        self._people: dict[str, Sender] = {}
        self._known_until: dict[str, float] = {}
        self._threads: dict[str, str | None] = {}
        self._roots: dict[tuple[str, str], Mapping[str, Any]] = {}
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def close(self) -> None:
        """Let go of courtesies that are still on their way."""
        for task in self._thanks:
            task.cancel()
        await asyncio.gather(*self._thanks, return_exceptions=True)

    async def take(self, body: Mapping[str, Any]) -> int:
        """Store one payload; the HTTP status that tells Slack whether it is ours now."""
        if self.sink is None:
            return 503
        intake = await self._intake(body)
        if intake.message is None and intake.signal is None and not intake.error:
            return 200
        try:
            await self.sink([intake])
        except StorageError:
            log.warning("not stored, Slack will send it again")
            return 503
        self._thank(body, intake)
        return 200

    def _thank(self, body: Mapping[str, Any], intake: Intake) -> None:
        """A verdict was pressed and is kept: say so to the one who gave it, beside the work."""
        said, url = intake.message, body.get("response_url")
        if said is None or not url or not VERDICT.fullmatch(said.text):
            return
        if body.get("type") == "block_actions" and len(self._thanks) < THANKS_MAX:
            task = asyncio.create_task(self._say_thanks(str(url), said.sender))
            self._thanks.add(task)
            task.add_done_callback(self._thanks.discard)

    async def _say_thanks(self, url: str, sender: Sender) -> None:
        """Only the one who pressed sees it. Nothing waits for it, and it is not tried again."""
        locale = "zh" if (sender.locale or "").lower().startswith("zh") else "en"
        words = {"text": say(locale, "feedback.thanks"), "response_type": "ephemeral"}
        payload = {**words, "replace_original": False}
        with suppress(PlatformError):
            await self._calls.courtesy(url, json=payload)

    async def _intake(self, body: Mapping[str, Any]) -> Intake:
        """The intake of a payload; of one that cannot be understood, a dead row."""
        try:
            return normalise(body, self._me, await self._setting(body))
        except Exception as error:  # guard: one odd event becomes a dead row
            log.exception("payload not understood")
            found = f"{type(error).__name__}: {error}"
            return Intake(raw=raw_of(body), delivery=delivery_of(body, self._me), error=found)

    async def _setting(self, body: Mapping[str, Any]) -> Setting:
        """What normalise needs to know. Twins arrive together: each thing is looked up once."""
        thread = joined_thread(body, self._me)
        party = await self._party(thread) if thread else ()
        called = calls_me(body, self._me)
        quoted = None
        if thread and not party and called:
            async with self._one_at_a_time(thread.conversation):
                quoted = await self._so_far(thread, body["event"]["ts"])
        groups: tuple[str, ...] = ()
        if party or called:
            user = author(body)
            async with self._one_at_a_time(user):
                await self._meet(user)
            groups = await self._groups_of(user)
        above, outside = await self._above(body)
        return Setting(
            now=self._clock.now(),
            party=party,
            above=above,
            outside=outside,
            people=self._people,
            groups=groups,
            words=self._words,
            quoted=quoted,
            context=self._context,
            growing=self._growing.newest(str((body.get("event") or {}).get("channel"))),
        )

    async def _above(self, body: Mapping[str, Any]) -> tuple[Mapping[str, Any] | None, bool]:
        """The first message of a thread that a command may be about, as far as it is known; {}
        where we may not read it. And whether we are no member there.
        """
        if (about := subject(body, self._me, self._words)) is None:
            return None, False
        async with self._one_at_a_time(":".join(about)):
            if about not in self._roots:
                try:
                    await self._look_above(about)
                except NotWelcome:
                    return {}, True
                except PlatformRefused:
                    return {}, False
                except (PlatformError, TimeoutError):
                    return {"ts": about[1]}, False
            return self._roots[about], False

    async def _look_above(self, about: tuple[str, str]) -> None:
        """Ask for the first message of a thread, briefly. Raises PlatformError or TimeoutError."""
        asked = {"channel": about[0], "ts": about[1], "limit": 1}
        async with asyncio.timeout(LOOKUP_SECONDS):
            answer = await self._calls.call("conversations.replies", asked, final=False)
        self._remember_root(about, answer)

    def _remember_root(self, about: tuple[str, str], answer: Mapping[str, Any]) -> None:
        if len(self._roots) >= THREADS:
            self._roots.clear()
        self._roots[about] = next(iter(answer["messages"]), {})

    async def transcript(self, channel: str, root: str, until: str, *, most: int) -> str:
        """What was said in a thread before `until`, with names. Raises PlatformError; refused when
        it is over `most` characters.
        """
        lines: dict[str, str] = {}  # by timestamp: the first message may head every page
        asked = {"channel": channel, "ts": root, "limit": PAGE}
        while True:
            page = await self._calls.call("conversations.replies", asked)
            for said in page["messages"]:
                if float(said["ts"]) < float(until):
                    await self._meet(said.get("user") or "")
                    lines[said["ts"]] = self._line(said)
            if (size := sum(map(len, lines.values()))) > most:
                raise PlatformRefused(f"a thread of {size} characters, {most} are taken")
            cursor = (page.get("response_metadata") or {}).get("next_cursor")
            if not cursor:
                return "\n".join(lines.values())
            asked["cursor"] = cursor

    def _one_at_a_time(self, key: str) -> asyncio.Lock:
        """The lock of this key; it is forgotten when nobody holds or awaits it."""
        return self._locks.setdefault(key, asyncio.Lock())

    async def _meet(self, user: str) -> None:
        """Learn a person's name and language, unless known or refused a moment ago."""
        now = self._clock.monotonic()
        if not user or self._known_until.get(user, now) > now:
            return
        if len(self._known_until) >= NAMES:
            self._people.clear()
            self._known_until.clear()
        self._known_until[user] = now + UNKNOWN_SECONDS
        answer = await self._look_up("users.info", user=user, include_locale="true")
        if answer is not None:
            self._people[user] = _sender(answer["user"])
            self._known_until[user] = now + NAME_SECONDS

    async def _groups_of(self, user: str) -> tuple[str, ...]:
        """The user groups named in the settings that somebody belongs to.

        Whose members cannot be looked up keeps those it had; one never looked up has none.
        """
        for group, members in self._members.items():
            async with self._one_at_a_time(group):
                await self._count_in(group, members)
        return tuple(group for group, known in self._members.items() if user in known.users)

    async def _count_in(self, group: str, members: Members) -> None:
        """Look up who belongs to a group, unless known or refused a moment ago."""
        now = self._clock.monotonic()
        if members.until > now:
            return
        members.until = now + UNKNOWN_SECONDS
        answer = await self._look_up("usergroups.users.list", usergroup=group)
        if answer is not None:
            members.users = frozenset(answer["users"])
            members.until = now + GROUP_SECONDS

    async def _so_far(self, thread: Place, ts: str) -> str | None:
        """What a thread said before we were called into it; fetched once."""
        if thread.conversation in self._threads:
            return self._threads[thread.conversation]
        if len(self._threads) >= THREADS:
            self._threads.clear()
        where = {"channel": thread.channel, "ts": thread.thread, "latest": ts}
        answer = await self._look_up("conversations.replies", limit=THREAD_MESSAGES, **where)
        if answer is None:
            return None
        self._remember_root((thread.channel, str(thread.thread)), answer)
        lines = [self._line(said) for said in answer["messages"] if said["ts"] != ts]
        quoted = "\n".join(lines)[-THREAD_CHARACTERS:] or None
        self._threads[thread.conversation] = quoted
        return quoted

    async def _look_up(self, method: str, **asked: Any) -> Mapping[str, Any] | None:
        """Ask Slack on the way to the acknowledgement: briefly, and without need."""
        try:
            async with asyncio.timeout(LOOKUP_SECONDS):
                return await self._calls.call(method, asked, final=False)
        except (PlatformError, TimeoutError):
            return None

    def _line(self, said: Mapping[str, Any]) -> str:
        user = said.get("user") or said.get("bot_id") or "?"
        known = self._people.get(user)
        text = readable(said.get("text") or "", me=self._me.user, people=self._people)
        return f"{(known.name if known else '') or user}: {text}"


def _sender(user: Mapping[str, Any]) -> Sender:
    profile = user.get("profile") or {}
    name = profile.get("display_name") or user.get("real_name") or user.get("name") or ""
    return Sender(user=user["id"], name=name, locale=user.get("locale"))


def bolt_app(events: Events, me: Me, client: AsyncWebClient, signing_secret: str) -> AsyncApp:
    """Bolt around `events`: it answers only when the payload is stored."""
    from slack_bolt.app.async_app import AsyncApp
    from slack_bolt.authorization import AuthorizeResult
    from slack_bolt.response import BoltResponse

    known = AuthorizeResult(
        enterprise_id=None,
        team_id=me.account,
        bot_user_id=me.user,
        bot_id=me.bot,
        bot_token=client.token,
    )

    async def authorize(**_: Any) -> AuthorizeResult:
        return known

    async def take(body: dict[str, Any]) -> BoltResponse:
        return BoltResponse(status=await events.take(body), body="")

    # Bolt takes a level of "not set" for debugging, and pays for it on every event.
    log.setLevel(log.level or logging.WARNING)
    quiet = logging.getLogger("frontdesk.slack.bolt")
    quiet.setLevel(logging.ERROR)
    app = AsyncApp(
        logger=quiet,
        name="frontdesk",
        client=client,
        authorize=authorize,
        signing_secret=signing_secret,
        process_before_response=True,
        attaching_conversation_kwargs_enabled=False,
        attaching_function_token_enabled=False,
    )
    app.use(take)
    return app
