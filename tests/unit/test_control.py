"""The running desk is commanded over a socket that is its user's alone."""

from __future__ import annotations

import asyncio
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from bot.control import ControlServer, call, socket_path
from bot.errors import BotError, Cause, ConfigError, DeskDown, KnowledgeError, UserError
from bot.knowledge.causes import refused


async def add(*, one: int, two: int) -> int:
    return one + two


async def fail(*, kind: str) -> None:
    if kind == "knowledge":
        raise refused("cause.encrypted", "a.pdf")
    raise UserError("stats.bad_range", word="x") if kind == "user" else ConfigError("a: expected b")


def mode_of(path: Path) -> int:
    return path.lstat().st_mode


def listing(path: Path) -> list[Path]:
    return list(path.iterdir())


async def slow() -> None:
    await asyncio.Event().wait()


@pytest_asyncio.fixture
async def path(tmp_path: Path) -> AsyncIterator[Path]:
    where = socket_path(str(tmp_path / "d.db"))
    server = ControlServer(where, {"add": add, "fail": fail, "slow": slow})
    await server.start()
    yield where
    await server.close()
    assert not where.exists()


async def test_a_word_is_carried_out_with_its_arguments(path: Path) -> None:
    assert await call(path, "add", one=1, two=2) == 3


async def test_only_the_owner_may_connect(path: Path) -> None:
    mode = mode_of(path)
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600


async def test_errors_of_the_house_arrive_as_what_they_are(path: Path) -> None:
    with pytest.raises(ConfigError, match="a: expected b"):
        await call(path, "fail", kind="config")
    with pytest.raises(UserError) as caught:
        await call(path, "fail", kind="user")
    assert (caught.value.key, caught.value.values) == ("stats.bad_range", {"word": "x"})
    with pytest.raises(KnowledgeError, match=r"a\.pdf: the PDF is encrypted") as unread:
        await call(path, "fail", kind="knowledge")
    assert unread.value.cause == Cause(key="cause.encrypted", file="a.pdf")
    with pytest.raises(BotError, match="knows no 'sing'"):
        await call(path, "sing")


async def test_without_a_desk_there_is_desk_down(tmp_path: Path) -> None:
    with pytest.raises(DeskDown):
        await call(tmp_path / "none.sock", "add")
    with pytest.raises(DeskDown):
        await call(tmp_path / ("long" * 60), "add")


async def test_a_dead_desks_socket_means_down_and_is_replaced(tmp_path: Path) -> None:
    where = tmp_path / "d.sock"
    first = ControlServer(where, {})
    await first.start()
    dead = tmp_path / "dead.sock"
    where.rename(dead)
    await first.close()
    with pytest.raises(DeskDown):
        await call(dead, "add")
    second = ControlServer(dead, {"add": add})
    await second.start()
    assert await call(dead, "add", one=2, two=2) == 4
    await second.close()


@pytest.mark.parametrize("line", [b"\n", b"{}\n", b"[1]\n", b'{"word":"add","x":1}\n', b"\xff\n"])
async def test_a_line_that_is_no_request_is_told_so(path: Path, line: bytes) -> None:
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(line)
    assert b"not a request" in await reader.readline()
    writer.close()


async def test_a_peer_that_hangs_up_disturbs_nobody(path: Path) -> None:
    _, writer = await asyncio.open_unix_connection(path)
    writer.write(b'{"word":')
    writer.close()
    assert await call(path, "add", one=1, two=1) == 2


async def test_a_path_too_long_for_a_socket_leaves_the_desk_uncommanded(tmp_path: Path) -> None:
    server = ControlServer(tmp_path / ("long" * 40), {})
    await server.start()
    await server.close()
    assert not listing(tmp_path)
