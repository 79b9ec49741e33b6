"""Why a source cannot be read, said in the reader's language; in logs it is said in English."""

from __future__ import annotations

import errno

from bot.errors import Cause, KnowledgeError
from bot.i18n import LOCALES, say

_SYSTEM = {
    errno.ENOENT: "cause.gone",
    errno.EACCES: "cause.forbidden",
    errno.EPERM: "cause.forbidden",
}
"""What the system says most, in words of ours."""


def refused(key: str, file: str = "", *, line: int = 0, **values: str | int) -> KnowledgeError:
    """The error for a file, at a line of it, or for none."""
    return error_of(Cause(key=key, file=file, line=line, values=tuple(values.items())))


def unread(file: str, error: OSError) -> KnowledgeError:
    """The error for a file that the system does not let us read."""
    key = _SYSTEM.get(error.errno or 0)
    if key is not None:
        return refused(key, file)
    return refused("cause.unreadable", file, text=error.strerror or str(error))


def error_of(cause: Cause) -> KnowledgeError:
    """The error with this cause."""
    return KnowledgeError(told(cause, LOCALES[0]), cause=cause)


def cause_of(error: KnowledgeError) -> Cause:
    """Its cause; where it has none, the detail as it is."""
    return error.cause or Cause(key="cause.other", values=(("text", str(error)),))


def told(cause: Cause, locale: str) -> str:
    """File, place and cause in a sentence."""
    values = dict(cause.values)
    if "column" in values:
        values["column"] = say(locale, f"cause.column_{values['column']}")
    why = say(locale, cause.key, **values)
    if cause.line and not cause.file:
        return say(locale, "cause.at_line", line=cause.line, why=why)
    if cause.line:
        return say(locale, "cause.in_line", file=cause.file, line=cause.line, why=why)
    return say(locale, "cause.in_file", file=cause.file, why=why) if cause.file else why


def why(error: KnowledgeError, locale: str) -> str:
    """What a person is told of an error."""
    return told(cause_of(error), locale)
