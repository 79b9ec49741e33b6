"""Logs: one fact a line, no secret, nothing of what people said."""

from __future__ import annotations

import io
import json
import logging
import random
from collections.abc import Iterator

import pytest
import structlog

from bot import telemetry
from bot.config import Config, ModelConfig, Secret, SlackConfig, TelegramConfig


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    """The root logger and structlog as they were."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


def lines(out: io.StringIO) -> list[dict[str, object]]:
    return [json.loads(line) for line in out.getvalue().splitlines()]


def started(level: str = "info", **more: object) -> io.StringIO:
    out = io.StringIO()
    telemetry.setup(now=lambda: 1_700_000_000_123, stream=out, level=level, **more)  # type: ignore[arg-type]
    return out


def test_a_line_is_a_json_fact_with_time_level_and_bound_context() -> None:
    out = started()
    structlog.get_logger("desk").bind(conversation="c").info("answered", edits=3)
    structlog.get_logger("desk").debug("not at this level")
    assert lines(out) == [
        {
            "event": "answered",
            "conversation": "c",
            "edits": 3,
            "level": "info",
            "logger": "desk",
            "at": "2023-11-14T22:13:20.123Z",
        }
    ]


def test_a_terminal_gets_plain_lines() -> None:
    out = Terminal()
    telemetry.setup(now=lambda: 0, stream=out)
    structlog.get_logger().info("answered", edits=3)
    assert "answered" in out.getvalue()
    with pytest.raises(json.JSONDecodeError):
        json.loads(out.getvalue())


@pytest.mark.parametrize("level", ["debug", "info"])
@pytest.mark.parametrize("name", sorted(telemetry.BODIES))
def test_words_of_people_are_a_length_at_every_level(name: str, level: str) -> None:
    out = started(level)
    structlog.get_logger().warning("came", **{name: "my card is 4111"})
    assert lines(out)[0][name] == "(15 hidden)"
    assert "4111" not in out.getvalue()


GLM = "0123456789abcdef0123456789abcdef.ABCDEFGH12345678"
TELEGRAM = "123456789:AAabcdefghijklmnopqrstuvwxyz0123456"


@pytest.mark.parametrize(
    "secret", [TELEGRAM, "xoxb-123456-abcdef", "xapp-1-A0B1-cdef", "Bearer abc.def", GLM]
)
def test_a_token_of_known_shape_is_starred_wherever_it_comes_from(secret: str) -> None:
    out = started()
    bare = secret.removeprefix("Bearer ")
    structlog.get_logger().info("called", url=f"https://h/bot{secret}/getMe", nested={"a": secret})
    logging.getLogger("some.library").warning("got %s", secret)
    try:
        int(f"bad: {secret}")
    except ValueError:
        structlog.get_logger().exception("failed")
    assert len(lines(out)) == 3
    assert bare not in out.getvalue()


def test_the_settings_own_secrets_are_starred_whatever_their_shape() -> None:
    config = Config(
        models=(ModelConfig(api_key=Secret("model-id.model-half")),),
        telegram=TelegramConfig(
            token=Secret("7:tele-secret"), webhook_secret=Secret("hook-secret")
        ),
        slack=SlackConfig(
            bot_token=Secret("slack-bot"),
            app_token=Secret("slack-app"),
            signing_secret=Secret("signing"),
        ),
    )
    out = started(secrets=(*config.secrets(), Secret("a")))
    structlog.get_logger().info(
        "a",
        said="7:tele-secret hook-secret slack-bot slack-app signing model-half model-id.model-half",
    )
    said = lines(out)[0]["said"]
    assert isinstance(said, str)
    assert set(said.split()) == {"•••"}
    assert lines(out)[0]["event"] == "a"


class Bot:
    """As the library's own: what it prints of itself holds the token."""

    def __repr__(self) -> str:
        return f"Bot[token={MADE}]"


MADE = "an-unusual-token"
"""Stands in no line that a traceback quotes."""


@pytest.mark.parametrize("human", [True, False])
@pytest.mark.parametrize("library", [True, False])
def test_a_traceback_shows_no_local_of_any_frame(human: bool, library: bool) -> None:
    """Locals hold tokens, keys and people's words in shapes that no pattern knows."""
    out = Terminal() if human else io.StringIO()
    telemetry.setup(now=lambda: 0, stream=out)

    def call(bot: Bot, said: str) -> None:
        password = MADE.upper()
        raise RuntimeError(f"no answer after {len(password)} s")

    try:
        call(Bot(), MADE)
    except RuntimeError:
        if library:
            logging.getLogger("some.library").exception("failed")
        else:
            structlog.get_logger().exception("failed")
    text = out.getvalue()
    assert "RuntimeError: no answer after 16 s" in text
    assert "in call" in text
    assert MADE not in text.lower()
    assert "Bot[" not in text


def test_a_second_setup_replaces_the_first() -> None:
    first, second = started(), started()
    structlog.get_logger().info("once")
    assert (first.getvalue(), len(lines(second))) == ("", 1)


def test_a_reference_is_eight_characters_that_can_be_read_aloud() -> None:
    made = {telemetry.reference(random.Random(seed).choice) for seed in range(200)}
    assert len(made) == 200
    assert all(len(one) == 8 and not set(one) & set("01oil") for one in made)
