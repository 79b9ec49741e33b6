"""What Telegram takes as a photo (Bot API, sendPhoto)."""

from __future__ import annotations

import struct

PNG = b"\x89PNG\r\n\x1a\n"


def photo_size(content: bytes) -> tuple[int, int]:
    """Width and height of a PNG."""
    width, height = struct.unpack(">II", content[16:24])
    return width, height


def photo_fault(content: bytes) -> str:
    """Why it is no photo, in the server's words; "": 10 MB, sides together 10,000, 20 to 1."""
    if content[:8] != PNG:
        return "IMAGE_PROCESS_FAILED"
    width, height = photo_size(content)
    if width + height > 10_000 or max(width, height) > 20 * min(width, height):
        return "PHOTO_INVALID_DIMENSIONS"
    return "file is too big" if len(content) > 10 << 20 else ""
