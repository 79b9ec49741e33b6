"""How a reply of the model can end, in the whole desk: on the screen, in history, on disk."""

from __future__ import annotations

from pathlib import Path

from bot.i18n import say
from tests.fakes.glm import FakeGlm, computed, frame, raw, says, sse
from tests.flow.running import Running, running, until
from tests.flow.test_desk import bot_says

STOP = frame("", finish="stop")


def told(glm: FakeGlm) -> str:
    """All that the model was given in its last call."""
    return "\n".join(turn["content"] for turn in glm.calls[-1].body["messages"])


def on_disk(folder: Path) -> bytes:
    """Every byte of the database."""
    return b"".join(file.read_bytes() for file in folder.glob("desk.db*"))


async def ask(run: Running, chat: object, text: str, count: int) -> str:
    """What stands last in a chat when the desk is done and has answered so often."""
    run.telegram.say(chat, text)  # type: ignore[arg-type]
    number = chat.id  # type: ignore[attr-defined]
    await until(lambda: len(bot_says(run.telegram, number)) >= count and run.service.idle, 20)
    return bot_says(run.telegram, number)[-1]


async def test_what_the_safety_check_takes_back_is_gone_from_screen_and_memory(
    tmp_path: Path,
) -> None:
    """`finish_reason: sensitive` comes after the text was shown; it is not asked for again."""
    bad = [sse(frame(f"Verboten words {n}. "), done=False) for n in range(12)]
    async with running(tmp_path / "desk.db", answers="open", knowledge=False, pace="off") as run:
        run.glm.script.append(raw(*bad, sse(frame(finish="sensitive")), delay=0.1))
        run.glm.default = computed(lambda _: "Hello.")
        chat = run.telegram.private()
        assert await ask(run, chat, "Tell me", 1) == say("en", "error.retracted")
        shown = [m for m in run.telegram.standing(chat) if m.author == run.telegram.bot_id]
        assert any("Verboten" in str(state) for one in shown for state in one.history)
        assert len(run.glm.calls) == 1
        assert await ask(run, chat, "And now?", 2) == "Hello."
        assert "Verboten" not in told(run.glm)
    assert b"Verboten" not in on_disk(tmp_path)


async def test_a_model_that_runs_in_circles_is_stopped_and_its_text_kept_and_marked(
    tmp_path: Path,
) -> None:
    circle = [f"Point {n} is made. " for n in range(5)] + ["and so on and on "] * 2000
    async with running(tmp_path / "desk.db", answers="open", knowledge=False, pace="off") as run:
        run.glm.script.append(says(*circle, delay=0.001))
        chat = run.telegram.private()
        text = await ask(run, chat, "Tell me", 1)
        assert text.startswith("Point 0 is made.")
        assert say("en", "answer.cut") in text
        assert len(text) < 4000
        await until(lambda: run.glm.running == 0)


async def test_thoughts_are_neither_shown_nor_kept_and_a_reply_of_thoughts_alone_is_none(
    tmp_path: Path,
) -> None:
    """It is asked for again, with the other way of thinking."""
    thoughts = raw(sse(frame(reasoning="secret plan"), frame("<think>hidden plan"), STOP))
    async with running(tmp_path / "desk.db", answers="open", knowledge=False, pace="off") as run:
        run.glm.script += [
            thoughts,
            raw(sse(frame(reasoning="secret plan"), frame("<think>hidden plan</think>Hi"), STOP)),
        ]
        chat = run.telegram.private()
        assert (await ask(run, chat, "Tell me", 1)).startswith("Hi")
        ways = [call.body.get("thinking") for call in run.glm.calls]
        assert len(ways) == 2
        assert ways[0] != ways[1]
    assert b"secret plan" not in on_disk(tmp_path)
    assert b"hidden plan" not in on_disk(tmp_path)


async def test_a_stop_ends_the_call_to_the_provider(tmp_path: Path) -> None:
    """Nobody pays for words that nobody will read."""
    async with running(tmp_path / "desk.db", answers="open", knowledge=False, pace="off") as run:
        run.glm.script.append(says(*(f"word{n} " for n in range(3000)), delay=0.01))
        chat = run.telegram.private()
        run.telegram.say(chat, "Tell me")
        await until(lambda: "word5" in "".join(bot_says(run.telegram, chat.id)))
        assert run.glm.running == 1
        run.telegram.say(chat, "/stop")
        await until(lambda: run.glm.running == 0, 5)
        await until(lambda: run.service.idle)
        assert "word2999" not in "".join(bot_says(run.telegram, chat.id))
