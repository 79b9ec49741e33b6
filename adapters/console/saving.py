"""Files for the person at the terminal, into the folder they work in; nothing is overwritten."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from itertools import count
from pathlib import Path

from adapters.console.clean import clean
from bot.errors import PlatformRefused

STEM_MAX, SUFFIX_MAX = 50, 8
"""Characters of a name that are kept: in UTF-8 within the 255 bytes of most file systems."""
_UNSAFE = re.compile(r"[^\w.\- ]+")


def save(folder: Path, name: str, content: bytes, *, tell: Callable[[str], None]) -> Path:
    """Write it under its name, or one like it that is free; `tell` hears the path before that.

    Only the owner may read it: an export holds personal data. Raises PlatformRefused.
    """
    plain = plain_name(name)
    for number in count():
        path = folder / _numbered(plain, number)
        if os.path.lexists(path):
            continue
        tell(str(path))
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except FileExistsError:
            continue
        except OSError as error:
            raise PlatformRefused(f"{path}: {error.strerror}") from error
        _fill(descriptor, content, path)
        return path
    raise AssertionError("counting never ends")


def plain_name(name: str) -> str:
    """A name that leads nowhere else and is not hidden."""
    last = clean(name).replace("\\", "/").rpartition("/")[2]
    safe = _UNSAFE.sub("_", last).strip(" .-")
    stem, dot, suffix = safe.rpartition(".")
    kept = (stem if dot else safe)[:STEM_MAX] or "file"
    return f"{kept}.{suffix[:SUFFIX_MAX]}" if dot else kept


def _numbered(name: str, number: int) -> str:
    """The name, then the name with 1, and so on: `code.py`, `code-1.py`."""
    if not number:
        return name
    stem, dot, suffix = name.rpartition(".")
    return f"{stem}-{number}.{suffix}" if dot else f"{name}-{number}"


def _fill(descriptor: int, content: bytes, path: Path) -> None:
    """All or nothing: a full disk leaves no half of a file."""
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
    except OSError as error:
        path.unlink(missing_ok=True)
        raise PlatformRefused(f"{path}: {error.strerror}") from error
