"""Several files sent in one go with one /kb import, on the wire of both platforms.

Telegram delivers each as an update of its own, with the words on only one of them.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from bot.engine.knowledge_words import KnowledgeWords
from bot.i18n import say
from bot.knowledge.loaders import KNOWN
from bot.types import Attachment, Place, Say
from storage.sqlite import SqliteDatabase
from tests.fakes.slack import FakeSlack
from tests.fakes.telegram.world import Chat
from tests.flow.running import ADMIN, Running, running, until
from tests.flow.slack_service import says, served
from tests.flow.spoken import spoken
from tests.flow.test_knowledge_words import call
from tests.unit.test_passage_index import pieces

FAQ = "question,answer\nDo you engrave {0}?,Yes; {0} too.\nWhere is {0}?,Here.\n"
BROKEN = b"question,answer\nDo you?,\n"


def given(run: Running, name: str, content: bytes) -> dict[str, Any]:
    """A document as Telegram describes it, to be fetched by its name."""
    run.telegram.files[name] = content
    about = {"file_id": name, "file_unique_id": name, "file_name": name}
    return about | {"file_size": len(content), "mime_type": "text/csv"}


def send(
    run: Running, chat: Chat, files: Sequence[dict[str, Any]], *, at: int, caption: str, **more: Any
) -> None:
    """An album, its words on one of its pieces."""
    for number, file in enumerate(files):
        words: dict[str, Any] = {"caption": caption} if number == at else {}
        run.telegram.say(chat, None, document=file, media_group_id="g", **words, **more)


async def sources(run: Running) -> list[str]:
    """The files that entries came from in a chat, each with how many."""
    entries = await run.desk.knowledge.entries.all()
    sent = sorted(one.source for one in entries if one.source.startswith("sent/"))
    return [f"{len(list(group))} {name}" for name, group in itertools.groupby(sent)]


@pytest.mark.parametrize(
    ("at", "order"), [(0, (0, 1, 2)), (1, (2, 1, 0)), (2, (0, 1, 2)), (0, (2, 1, 0))]
)
async def test_every_file_of_an_album_is_taken_in_whatever_comes_first(
    tmp_path: Path, at: int, order: tuple[int, ...]
) -> None:
    """And told of in one reply, in the order in which they were sent."""
    async with running(tmp_path / "desk.db", knowledge=False, pace="off") as run:
        chat = run.telegram.private(ADMIN)
        names = ("cups", "pens", "mugs")
        files = [given(run, f"{one}.csv", FAQ.format(one).encode()) for one in names]
        send(run, chat, files, at=at, caption="/kb import")
        updates = [run.telegram.queue.pop() for _ in names][::-1]
        for number, place in enumerate(order):
            run.telegram.queue.append(updates[place] | {"update_id": updates[number]["update_id"]})
        await until(lambda: run.telegram.screen(chat))
        await until(lambda: run.service.idle)
        counts = "(2 added, 0 changed, 0 removed)"
        lines = [f"Taken in: {one}.csv {counts}" for one in names]
        head = "3 files: 3 taken in, 0 unchanged, 0 not taken in"
        assert run.telegram.screen(chat) == ["\n".join([head, *lines])]
        assert await sources(run) == ["2 sent/cups.csv", "2 sent/mugs.csv", "2 sent/pens.csv"]
        assert len(await run.desk.knowledge.entries.generations()) == 1
        database = run.desk.stores.database
        assert isinstance(database, SqliteDatabase)
        assert (pieces(database, "faq"), pieces(database, "doc")) == (1, 1)


@pytest.mark.parametrize("language", ["en", "zh"])
async def test_each_file_of_an_album_is_told_of_in_the_admins_language(
    tmp_path: Path, language: str
) -> None:
    """New, changed, unchanged, and refused for four causes: one holds up no other."""
    async with running(tmp_path / "desk.db", knowledge=False, pace="off") as run:
        chat = run.telegram.private(ADMIN, language=language)
        old = [given(run, f"{one}.csv", FAQ.format(one).encode()) for one in ("same", "other")]
        send(run, chat, old, at=0, caption="/kb import")
        await until(lambda: run.telegram.screen(chat) and run.service.idle)
        gone = given(run, "gone.csv", b"x")
        del run.telegram.files["gone.csv"]
        files = [
            given(run, "new.csv", FAQ.format("new").encode()),
            old[0],
            given(run, "other.csv", FAQ.format("other").replace("Here", "There").encode()),
            given(run, "broken.csv", BROKEN),
            given(run, "a.exe", b"MZ"),
            given(run, "large.csv", b"x") | {"file_size": 21 << 20},
            gone,
            old[0] | {"file_id": "new.csv"},
        ]
        send(run, chat, files, at=3, caption="/kb import" if language == "en" else "/kb 导入")
        await until(lambda: len(run.telegram.screen(chat)) == 2 and run.service.idle)

        def refused(name: str, key: str, **values: Any) -> str:
            why = say(language, f"cause.{key}", **values)
            text = say(language, "cause.in_file", file=name, why=why)
            return say(language, "cli.import_failed", text=text)

        def counted(name: str, **counts: int) -> str:
            text = say(language, "kb.counts", **counts)
            return say(language, "kb.imported", uid=name, counts=text)

        empty = say(language, "cause.empty", column=say(language, "cause.column_answer"))
        line = say(language, "cause.in_line", file="broken.csv", line=2, why=empty)
        assert run.telegram.screen(chat)[1].splitlines() == [
            say(language, "kb.sent", of=8, taken=2, same=1, refused=5),
            counted("new.csv", added=2, changed=0, removed=0),
            say(language, "kb.unchanged", uid="same.csv"),
            counted("other.csv", added=0, changed=1, removed=0),
            say(language, "cli.import_failed", text=line),
            refused("a.exe", "unknown_kind", known=" ".join(sorted(KNOWN))),
            refused("large.csv", "too_large", size="21", most="20"),
            refused("gone.csv", "not_fetched"),
            refused("same.csv", "name_twice"),
        ]
        assert len(run.telegram.standing(chat)) == 2


async def test_what_was_said_around_an_album_is_answered_apart_from_it(tmp_path: Path) -> None:
    """A question before it, one behind it, and pictures of another album are not its files."""
    async with running(tmp_path / "desk.db", pace="off") as run:
        chat = run.telegram.private(ADMIN)
        files = [given(run, f"{one}.csv", FAQ.format(one).encode()) for one in ("cups", "pens")]
        photo = [{"file_id": "p", "file_unique_id": "p", "width": 9, "height": 9}]
        run.telegram.say(chat, None, photo=photo, media_group_id="h")
        send(run, chat, files, at=1, caption="/kb import")
        run.telegram.say(chat, "/kb list cups")
        await until(lambda: len(run.telegram.screen(chat)) == 3 and run.service.idle)
        shown = run.telegram.screen(chat)
        assert shown[0] == say("en", "decline.attachment_of_admin")
        assert shown[1].startswith("2 files: 2 taken in")
        assert "Do you engrave cups?" in shown[2]


async def test_where_only_one_of_several_files_arrives_that_is_said(tmp_path: Path) -> None:
    """In a group the others are not ours to see."""
    async with running(tmp_path / "desk.db", knowledge=False, pace="off") as run:
        group, admin = run.telegram.group(), run.telegram.person(ADMIN)
        files = [given(run, f"{one}.csv", FAQ.format(one).encode()) for one in ("cups", "pens")]
        send(run, group, files, at=0, caption="/kb import", user=admin)
        await until(lambda: run.telegram.screen(group) and run.service.idle)
        [told] = run.telegram.screen(group)
        assert told.splitlines() == [
            "Taken in: cups.csv (2 added, 0 changed, 0 removed)",
            say("en", "kb.torn"),
        ]


@pytest.fixture
async def slack() -> AsyncIterator[FakeSlack]:
    """One person; calls are not metered."""
    fake = FakeSlack(tiers=False)
    await fake.start()
    fake.core.users = {"U1": {"real_name": "Ann", "locale": "zh-CN"}}
    yield fake
    await fake.close()


async def test_several_files_of_one_slack_message_are_each_told_of(
    slack: FakeSlack, tmp_path: Path
) -> None:
    """One message, one reply; what is broken holds up no other."""
    async with served(slack, "http", tmp_path, admins=frozenset({"slack:U1"})):
        where = f"{slack.url}/files-pri/T0DESK-"
        sent = {"cups.csv": FAQ.format("cups").encode(), "broken.csv": BROKEN, "a.exe": b"MZ"}
        sent |= {"pens.md": b"# Pens\n\nPens are blue and come in tens.\n"}
        files = [slack.core.keep(name, content, where) for name, content in sent.items()]
        slack.say("U1", "D1", "/kb import", subtype="file_share", files=files)
        await until(lambda: says(slack, "D1", "pens.md"))
        [shown] = [one.markdown for one in slack.core.shown("D1") if "pens.md" in one.markdown]
        lines = [line.rstrip() for line in shown.splitlines()]
        assert lines[0] == "共 4 个文件：导入 2，未变 0，未能导入 2"
        assert lines[1] == "已导入：cups.csv（新增 2，修改 0，删除 0）"
        assert lines[2].startswith("未能导入：broken.csv 第 2 行：")
        assert lines[3].startswith("未能导入：a.exe：")
        assert lines[4] == "已导入：pens.md（新增 1，修改 0，删除 0）"
        slack.say("U1", "D1", "Do you engrave cups?")
        await until(lambda: says(slack, "D1", "Yes; cups too."))


async def test_more_than_one_attempt_can_take_in_is_refused_file_by_file() -> None:
    """Three of the largest at once; what is beyond is told, and what is small still fits."""
    asked: list[str] = []
    large = b"question,answer\n" + b"# " * ((19 << 20) // 2)

    async def fetch(place: Place, attachment: Attachment, /, *, most: int = 0) -> bytes:
        asked.append(attachment.name)
        return large if attachment.id == "large" else FAQ.format("cups").encode()

    files = [
        Attachment(kind="document", id="large", name=f"{number}.xyz", size=size)
        for number, size in enumerate((len(large), None, None, len(large), None))
    ]
    small = Attachment(kind="document", id="small", name="cups.csv")
    async with spoken() as desk:
        words = KnowledgeWords(desk.desk.knowledge, desk.clock, fetch=fetch)
        [said, _] = [one async for one in words.command().run(call("import", *files, small))]
        assert isinstance(said, Say)
        beyond = say("en", "cause.too_many", most="60")
        assert said.text.count(beyond) == 2
        assert asked == ["0.xyz", "1.xyz", "2.xyz", "4.xyz", "cups.csv"]
        assert [one.source for one in await desk.desk.knowledge.entries.all()] == [
            "sent/cups.csv",
            "sent/cups.csv",
        ]
