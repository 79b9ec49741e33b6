"""Drafts as people see them: no message, gone with the next one or after 30 s, with a Stop button.

Refusals are worded as the real server words them (RANDOM_ID_INVALID for a draft without a number).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.fakes.telegram.world import Chat, Json, Version, World

FADES = 30.0
"""Seconds after the last call."""
UNFIT = {"reply_markup", "reply_parameters", "link_preview_options"}
"""What a draft does not have; the server would ignore it, and we must not rely on it."""


@dataclass
class Draft:
    """What was shown under one number, until something took it away."""

    id: int
    thread: int | None
    history: list[Version]
    can_stop: bool
    keeps: bool
    gone_at: float | None = None

    @property
    def text(self) -> str:
        """What it shows at last."""
        return self.history[-1].text


class DraftWorld(World):
    """Shows drafts. `drafts`: all there ever were, by chat, in order; `knows_drafts`: 10.3."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.drafts: dict[int, list[Draft]] = {}
        self.knows_drafts = True
        self.violations: list[str] = []

    def draft(self, chat: Chat, *, thread: int | None = None) -> Draft | None:
        """The one that is seen in a chat (or topic) now."""
        for draft in reversed(self.drafts.get(chat.id, [])):
            fresh = self.clock.monotonic() - draft.history[-1].at < FADES
            if draft.thread == thread and draft.gone_at is None and fresh:
                return draft
        return None

    def stop_draft(self, chat: Chat, *, thread: int | None = None) -> None:
        """The person presses its Stop button; the bot is told the number, as text."""
        draft = self.draft(chat, thread=thread)
        assert draft, "there is no draft"
        assert draft.can_stop, "it has no Stop button"
        draft.can_stop = False
        if not draft.keeps:
            draft.gone_at = self.clock.monotonic()
        self.push("stopped_message_generation", {"chat": chat.json(), "draft_id": str(draft.id)})

    def draft_fault(self, chat: Chat, params: Json) -> tuple[int, str] | None:
        """Status and words of the refusal; None for a draft that is shown."""
        if not self.knows_drafts:
            return 404, "Not Found"
        if not chat.private or chat.refuses_drafts:
            return 400, "Bad Request: TEXTDRAFT_PEER_INVALID"
        if not -(1 << 63) <= int(params.get("draft_id") or 0) < 1 << 63:
            return 400, "Bad Request: draft_id must fit in 64 bits"
        if not int(params.get("draft_id") or 0):
            return 400, "Bad Request: RANDOM_ID_INVALID"
        if unfit := UNFIT & set(params):
            self.violations.append(f"a draft has no {sorted(unfit)}")
        return None

    def show_draft(self, chat: Chat, thread: int | None, version: Version, params: Json) -> None:
        """Change the one with this number, or put it in the place of another."""
        number, seen = int(params["draft_id"]), self.draft(chat, thread=thread)
        if seen is None or seen.id != number:
            self.end_draft(chat, thread)
            seen = Draft(id=number, thread=thread, history=[], can_stop=False, keeps=False)
            self.drafts.setdefault(chat.id, []).append(seen)
        seen.history.append(version)
        seen.can_stop, seen.keeps = bool(params.get("can_stop")), bool(params.get("keep_on_stop"))

    def end_draft(self, chat: Chat, thread: int | None) -> None:
        """A message of the bot came: the draft is gone."""
        if seen := self.draft(chat, thread=thread):
            seen.gone_at = self.clock.monotonic()
