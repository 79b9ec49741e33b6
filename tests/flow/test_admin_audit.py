"""The page of what was done, as its reader reads it."""

from __future__ import annotations

from tests.flow.office import office
from tests.flow.spoken import ADMIN


async def test_the_audit_reads_in_the_visitor_s_language() -> None:
    """Acts in words, and a refusal with its reason: no page shows a sentence's key."""
    async with office() as here:
        await here.desk.say("/ban nobody", ADMIN)
        await here.login()
        for locale, act, why in (
            ("en", "/ban refused", "nobody is known by that · nobody"),
            ("zh", "/ban 被拒绝", "没有这个人 · nobody"),
        ):
            page = (await here.get("/audit", Accept_Language=locale)).text
            assert act in page
            assert why in page
            assert "unknown_person" not in page
