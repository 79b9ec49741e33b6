"""Files sent in one go that a command is about: each comes as a message, the words with only one.

The others wait as messages of their own until the one with the command is there, in whatever order
they come; then it has all their files. Without a command they are answered as any run of messages.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from operator import itemgetter

from bot.text.width import blank
from bot.types import Album, IncomingMessage, value
from storage.codec import Undecodable, read_message, write_message
from storage.database import Row, Tx
from storage.rows import number, string


@value
class _Piece:
    """A message that waits, as its row has it."""

    id: int
    said: IncomingMessage
    album: Album
    command: bool

    @property
    def wordless(self) -> bool:
        """Only a file."""
        return blank(self.said.text)


async def gather(tx: Tx, said: IncomingMessage, conversation: int, *, now: int) -> None:
    """Give a command that waits the files of the same album; what brought them is superseded.

    What comes when its work has begun stays a message of its own.
    """
    rows = await tx.run("pieces_of", conversation=conversation, sender=said.sender.user)
    pieces = [piece for row in rows if (piece := _piece(row, said.album)) is not None]
    command = next((piece for piece in pieces if piece.command), None)
    others = [piece for piece in pieces if piece.wordless]
    if command is None or not others:
        return
    whole = _together(command, others)
    await tx.run("reword", id=command.id, body=write_message(whole))
    for piece in others:
        await tx.run(
            "finish_message",
            id=piece.id,
            state=2,
            outcome="superseded",
            answer=command.id,
            error="",
            now=now,
        )


def _piece(row: Row, album: Album | None) -> _Piece | None:
    try:
        said = read_message(string(row, "body"))
    except Undecodable:
        return None  # whoever leases it buries it
    if album is None or said.album is None or said.album.id != album.id:
        return None
    command = bool(number(row, "alone"))
    return _Piece(id=number(row, "id"), said=said, album=said.album, command=command)


def _together(command: _Piece, others: Sequence[_Piece]) -> IncomingMessage:
    """The command with all files in the order they were sent."""
    placed = [
        pair
        for piece in (command, *others)
        for pair in zip(piece.album.places, piece.said.attachments, strict=False)
    ]
    placed.sort(key=itemgetter(0))
    return replace(
        command.said,
        attachments=tuple(file for _, file in placed),
        album=replace(command.album, places=tuple(place for place, _ in placed)),
    )
