"""Where typed lines are kept between sessions: with the user's own state, for their eyes only."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

NAME = "console_history"


def history_file(environ: Mapping[str, str]) -> Path | None:
    """The file in the XDG state directory, its folder made; None where none can be kept.

    A relative XDG_STATE_HOME is ignored, as the XDG Base Directory Specification asks.
    """
    named = Path(environ.get("XDG_STATE_HOME", ""))
    home = environ.get("HOME", "")
    if not named.is_absolute() and not home:
        return None
    state = named if named.is_absolute() else Path(home) / ".local" / "state"
    with suppress(OSError):
        folder = state / "frontdesk"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        file = folder / NAME
        file.touch(mode=0o600)
        return file
    return None
