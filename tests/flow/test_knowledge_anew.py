"""Terms that another version made are made anew; either Chinese script finds the other."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

import bot
from bot.clock import SystemClock
from bot.knowledge import drafts
from bot.knowledge.base import KnowledgeBase
from bot.knowledge.port import EntryDraft, Switch
from bot.knowledge.terms import TERMS_VERSION
from storage.passages import PassageStore
from tests.fakes.inline_database import InlineDatabase

SHOP = Path(bot.__file__).parent / "samples" / "shop"


@pytest.fixture
async def store() -> AsyncIterator[PassageStore]:
    database = InlineDatabase.open()
    yield PassageStore(database)
    await database.close()


@pytest.fixture
def kb(store: PassageStore) -> KnowledgeBase:
    return KnowledgeBase(store, SystemClock())


def of_old_make(draft: EntryDraft) -> EntryDraft:
    """As a version would have stored it that read words otherwise."""
    texts = [msgspec.structs.replace(text, terms="qqq", norm="qqq", kin=0) for text in draft.texts]
    return msgspec.structs.replace(draft, texts=tuple(texts), make=TERMS_VERSION - 1, hash="old")


@pytest.mark.parametrize(
    ("asked", "entry"),
    [
        ("怎麼退貨？", "return.zh"),
        ("運費多少錢", "delivery-cost.zh"),
        ("可以開發票嗎", "invoice.zh"),
        ("ｌｍ－３１０ 多高？", "lm310-height.zh"),
    ],
)
async def test_traditional_characters_and_full_widths_find_what_is_written_simplified(
    kb: KnowledgeBase, asked: str, entry: str
) -> None:
    await kb.import_folder(SHOP)
    found = await kb.search(asked, locale="zh")
    assert found.in_scope
    assert entry in [passage.entry for passage in found.passages[:2]]


async def test_simplified_characters_find_what_is_written_traditional(kb: KnowledgeBase) -> None:
    await kb.entries.add("燈泡壞了可以換貨嗎？", "可以，七天內免費更換。", by="a")
    found = await kb.search("灯泡坏了可以换货吗", locale="zh")
    assert found.direct
    assert found.passages[0].answer == "可以，七天內免費更換。"


async def test_terms_of_another_version_are_made_anew_once(
    store: PassageStore, kb: KnowledgeBase
) -> None:
    """Words and answers stay, who changed what stays; what was added by hand is found again."""
    drafts_made = [
        drafts.faq(source="desk", question="Sell curtains?", answer="No.", aliases=["blinds"]),
        drafts.faq(source="desk", question="Park here?", answer="Yes."),
    ]
    await store.stage(1, [of_old_make(draft) for draft in drafts_made])
    await store.switch(Switch(generation=1, at=0, by="", note=""))
    assert not (await kb.search("do you sell curtains", locale="en")).passages
    assert await kb.renew() == 2
    assert (await kb.search("blinds", locale="en")).direct
    assert (await kb.search("Sell curtains?", locale="en")).direct
    assert await kb.renew() == 0
    assert await kb.entries.history() == []
    assert [entry.hash for entry in await store.entries()] == [
        draft.hash for draft in sorted(drafts_made, key=lambda draft: draft.uid)
    ]


async def test_going_back_to_a_state_of_another_version_brings_its_words_in_todays_terms(
    store: PassageStore, kb: KnowledgeBase
) -> None:
    old = drafts.faq(source="desk", question="Sell curtains?", answer="No.")
    await store.stage(1, [of_old_make(old)])
    await store.switch(Switch(generation=1, at=0, by="", note=""))
    await kb.entries.edit(old.uid, by="a", answer="Yes.")
    assert (await kb.search("sell curtains", locale="en")).passages[0].answer == "Yes."
    await kb.entries.rollback(1, by="a")
    assert (await kb.search("sell curtains", locale="en")).passages[0].answer == "No."


async def test_document_sections_made_anew_are_what_the_file_gave(
    store: PassageStore, kb: KnowledgeBase
) -> None:
    await kb.import_folder(SHOP)
    for entry in await store.entries():
        made = drafts.renewed(entry, await store.texts(entry.id))
        assert made is not None
        assert made.hash == entry.hash
        assert list(made.texts) == await store.texts(entry.id)
