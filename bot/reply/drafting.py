"""What the draft of a growing text shows, and when it must be shown again. Time is an argument.

A draft is no message: it fades by itself, and a message that is posted takes it off the screen. So
nothing that must survive is in it, and none is sent once the text is finished.
"""

from __future__ import annotations

from bot.reply.actions import Draft
from bot.types import Drafts

NEVER = float("inf")
ALWAYS = float("-inf")


class Drafting:
    """The draft of one reply. `on` is False where there are none, or not any more; `open`: there
    may be one on the screen, which only time or a message takes away.
    """

    def __init__(self, drafts: Drafts | None) -> None:
        self.on = drafts is not None
        self.open = False
        self.interval = drafts.interval if drafts else 0.0
        self._repeat = drafts.repeat if drafts else NEVER
        self._shown: Draft | None = None
        self._at = ALWAYS

    def due_at(self, blank: Draft | None) -> float:
        """When the draft must be sent for another reason than new text. See `due` for `blank`."""
        if not self.on:
            return NEVER
        if self._shown is None or (blank is not None and self._shown != blank):
            return ALWAYS
        return self._at + self._repeat

    def due(self, now: float, blank: Draft | None, opening: Draft) -> Draft | None:
        """The draft that must be sent though there is no new text.

        `blank` is what to show as long as there is no text at all, then None; `opening` what to
        begin with. What is shown is repeated before it fades.
        """
        return (blank or self._shown or opening) if now >= self.due_at(blank) else None

    def shows(self, draft: Draft) -> bool:
        """It is what stands there now, as far as we know."""
        return self._shown == draft

    def showed(self, draft: Draft, at: float) -> None:
        """It is on the screen since `at`."""
        self._shown, self._at, self.open = draft, at, True

    def lost(self) -> None:
        """It is not known whether the last one came."""
        self._shown, self.open = None, True

    def vanished(self) -> None:
        """A message came: there is none on the screen."""
        self._shown, self.open = None, False
