"""The calls that a LiveReply decides on."""

from __future__ import annotations

import hashlib

from bot.types import Frame, MessageRef, value


@value
class Post:
    """Put a new message on the screen for this part."""

    part: int
    frame: Frame


@value
class Edit:
    """Make the message of this part show the frame. `frozen`: it is full and stays as it is."""

    part: int
    ref: MessageRef
    frame: Frame
    frozen: bool = False


@value
class Remove:
    """Take a message away that the finished text does not need."""

    part: int
    ref: MessageRef


@value
class Draft:
    """Show the frame as what this part, which has no message yet, will say; an empty one: we think.

    No message of ours comes of it, and nothing has to follow if it fails.
    """

    part: int
    frame: Frame


Action = Post | Edit | Remove | Draft


def shown_hash(frame: Frame) -> str:
    """Names what a frame shows: its text, marks and buttons."""
    seen = repr((frame.content, frame.buttons)).encode("utf-8", "surrogatepass")
    return hashlib.blake2b(seen, digest_size=12).hexdigest()
