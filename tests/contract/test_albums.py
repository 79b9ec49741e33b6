"""Files sent in one go, of which one carries a command: the command has them all, once."""

from __future__ import annotations

import itertools
from dataclasses import replace

import pytest

from bot.ports import Intake
from bot.types import Album, Attachment, IncomingMessage, Lease
from storage import Stores
from tests.contract.stores import (
    HandClock,
    drain,
    intake,
    lease_one,
    message,
    put,
    settlement,
    texts,
)

SETTLE_MS = 800


def piece(position: int, text: str = "", *, album: str = "g", user: str = "ann") -> IncomingMessage:
    """A file; with a text, the one that the album's words came with."""
    file = Attachment(kind="document", id=f"f{position}")
    said = message(position, text or " ", user=user, alone=text.startswith("/"))
    return replace(said, text=text, attachments=(file,), album=Album(id=album, places=(position,)))


def settling(said: IncomingMessage) -> Intake:
    """As it arrives: more of the same may follow."""
    return replace(intake(said), settle_ms=SETTLE_MS)


def files(lease: Lease) -> list[str]:
    return [file.id for one in lease.messages for file in one.message.attachments]


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("command", [1, 2, 3])
async def test_a_command_has_the_files_of_its_album_in_the_order_they_were_sent(
    desk: Stores, clock: HandClock, order: tuple[int, ...], command: int
) -> None:
    """Whichever piece carries it, whichever comes first; all that came has an outcome then."""
    pieces = [piece(number, "/take" if number == command else "") for number in (1, 2, 3)]
    for place in order:
        assert await desk.inbox.put([settling(pieces[place])]) == [True]
        assert await desk.inbox.put([settling(pieces[place])]) == [False]
        assert await desk.inbox.lease("me") == []
        clock.pass_(0.7)
    clock.pass_(0.2)
    [lease] = await drain(desk)
    assert (texts(lease), files(lease)) == (["/take"], ["f1", "f2", "f3"])
    assert (await desk.inbox.depth()).waiting == 0


async def test_nobody_elses_file_and_none_of_another_album_is_taken_along(desk: Stores) -> None:
    await put(desk, piece(1, album="h"), piece(2, user="bob"), piece(3, "/take"), piece(4))
    leases = await drain(desk)
    assert [files(lease) for lease in leases] == [["f1"], ["f2"], ["f3", "f4"]]


async def test_a_piece_with_words_of_its_own_stands_for_itself(desk: Stores) -> None:
    """Two commands in an album: each has its own file, and the first what says nothing."""
    await put(desk, piece(1, "/take"), piece(2, "/read"), piece(3), piece(4, "And this?"))
    leases = await drain(desk)
    assert [texts(lease) for lease in leases] == [["/take"], ["/read"], ["And this?"]]
    assert [files(lease) for lease in leases] == [["f1", "f3"], ["f2"], ["f4"]]


async def test_what_comes_when_the_work_has_begun_is_a_message_of_its_own(desk: Stores) -> None:
    await put(desk, piece(1, "/take"))
    lease = await lease_one(desk)
    await put(desk, piece(2))
    await desk.inbox.settle(lease, settlement())
    assert [files(one) for one in (lease, await lease_one(desk))] == [["f1"], ["f2"]]


async def test_without_a_command_an_album_is_a_run_of_messages_as_ever(desk: Stores) -> None:
    await put(desk, message(0, "hi"), piece(1), piece(2, "What is it?"), piece(3))
    [lease] = await drain(desk)
    assert texts(lease) == ["hi", "", "What is it?", ""]
    assert files(lease) == ["f1", "f2", "f3"]
