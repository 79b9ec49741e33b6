"""An act of those who run the desk: what becomes true, what is said of it, its audit line."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable

from bot.engine.commands import Call
from bot.errors import UserError
from bot.types import Audit, Change, Done, Notice, ReplyEvent, Scalar, value

ARGUMENT_SHOWN = 60
"""Characters of an argument that cannot be understood, in the refusal and in the audit."""


@value
class Decision:
    """What becomes true, and the sentence that says so.

    `detail` stands in the audit, beside `action` or else the word that was used.
    """

    key: str
    values: dict[str, Scalar]
    detail: str
    action: str = ""
    changes: tuple[Change, ...] = ()


async def audited(
    action: str, call: Call, decide: Callable[[], Awaitable[Decision]]
) -> AsyncIterator[ReplyEvent]:
    """Say what was decided, or why `action` was refused; either stands in the audit."""
    try:
        decision = await decide()
    except UserError as error:
        yield Notice(key=error.key, values=dict(error.values))
        given = " ".join(call.argument.split())[:ARGUMENT_SHOWN]
        yield done(Audit(action=f"{action} refused", detail=f"{error.key}: {given}"))
        return
    yield Notice(key=decision.key, values=decision.values)
    yield done(*decision.changes, Audit(action=decision.action or action, detail=decision.detail))


def done(*changes: Change) -> Done:
    """The end of such an act; nothing of it is remembered as said."""
    return Done(route="command", changes=changes, remember=False)
