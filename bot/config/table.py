"""The list of settings: where each stands in the tree and in the file, and its variable.

`path` is both the attribute of Config and the key in frontdesk.toml. Names are a contract.
"""

from __future__ import annotations

from bot.config import kinds
from bot.config.kinds import Kind
from bot.types import value


@value
class Setting:
    """One row. `names` are environment variables, the proper one first, aliases after it."""

    path: str
    kind: Kind
    names: tuple[str, ...] = ()
    secret: bool = False


def _row(path: str, kind: Kind, *names: str) -> Setting:
    return Setting(path=path, kind=kind, names=names)


def _secret(path: str, kind: Kind, *names: str) -> Setting:
    return Setting(path=path, kind=kind, names=names, secret=True)


_PRICE = kinds.number(0, 1_000_000)

SETTINGS = (
    _row("desk.name", kinds.text),
    _row("desk.greeting", kinds.text),
    _row("desk.persona", kinds.text),
    _row("desk.contact", kinds.text),
    _row("desk.locale", kinds.one_of("en", "zh", ""), "FRONTDESK_LOCALE"),
    _row("desk.timezone", kinds.zone, "FRONTDESK_TIMEZONE"),
    _row("desk.answers", kinds.one_of("strict", "assist", "open"), "FRONTDESK_ANSWERS"),
    _row("desk.currency", kinds.currency),
    _row("desk.history_turns", kinds.whole(0, 200)),
    _row("desk.busy", kinds.one_of("queue", "interrupt")),
    _row("desk.concurrent", kinds.whole(1, 10_000)),
    _row("desk.digest", kinds.time_of_day),
    _secret("telegram.token", kinds.telegram_token, "TELEGRAM_BOT_TOKEN"),
    _row("telegram.api_root", kinds.url, "TELEGRAM_API_ROOT"),
    _row("telegram.pace", kinds.one_of("official", "off"), "TELEGRAM_PACE"),
    _row("telegram.mode", kinds.one_of("polling", "webhook"), "TELEGRAM_MODE"),
    _row("telegram.streaming", kinds.one_of("edits", "drafts"), "TELEGRAM_STREAMING"),
    _secret("telegram.webhook_secret", kinds.webhook_secret, "TELEGRAM_WEBHOOK_SECRET"),
    _secret("slack.bot_token", kinds.slack_bot_token, "SLACK_BOT_TOKEN"),
    _secret("slack.app_token", kinds.slack_app_token, "SLACK_APP_TOKEN"),
    _secret("slack.signing_secret", kinds.secret, "SLACK_SIGNING_SECRET"),
    _row("slack.api_root", kinds.api_root, "SLACK_API_ROOT"),
    _row("slack.mode", kinds.one_of("auto", "socket", "http"), "SLACK_MODE"),
    _row("slack.streaming", kinds.one_of("native", "direct", "edits"), "SLACK_STREAMING"),
    _row("knowledge.folder", kinds.text, "FRONTDESK_KNOWLEDGE"),
    _row("knowledge.watch", kinds.flag),
    _row("knowledge.file_max_bytes", kinds.whole(1, 1 << 30)),
    _row("embedder.kind", kinds.one_of("none", "openai", "local"), "FRONTDESK_EMBEDDER"),
    _row("embedder.base_url", kinds.url, "FRONTDESK_EMBEDDER_URL"),
    _secret("embedder.api_key", kinds.secret, "FRONTDESK_EMBEDDER_KEY"),
    _row("embedder.name", kinds.text, "FRONTDESK_EMBEDDER_NAME"),
    _row("embedder.dimensions", kinds.whole(0, 8192)),
    _row("http.public", kinds.listener, "FRONTDESK_HTTP"),
    _row("http.operator", kinds.listener, "FRONTDESK_ADMIN_HTTP"),
    _row("http.public_url", kinds.url, "PUBLIC_URL"),
    _row("http.admin_url", kinds.url, "FRONTDESK_ADMIN_URL"),
    _row("access.entry", kinds.one_of("open", "listed")),
    _row("access.allow", kinds.people),
    _row("access.block", kinds.people),
    _row("access.person_per_minute", kinds.whole(0, 100_000), "FRONTDESK_RATE"),
    _row("access.chat_per_minute", kinds.whole(0, 100_000)),
    _row("access.person_per_day", kinds.whole(0, 1_000_000)),
    _row("access.person_tokens_per_day", kinds.whole(0, 10**12)),
    _row("access.tokens_per_day", kinds.whole(0, 10**12)),
    _row("access.cost_per_day", kinds.number(0, 1_000_000_000)),
    _row("access.spent", kinds.one_of("knowledge", "stop")),
    _row("privacy.mask", kinds.some_of("email", "phone", "card", "id")),
    _row("privacy.history_days", kinds.whole(1, 36_500)),
    _row("privacy.done_days", kinds.whole(2, 3650)),
    _row("privacy.dead_days", kinds.whole(2, 3650)),
    _row("skills", kinds.text, "FRONTDESK_SKILLS"),
    _row("database", kinds.database, "FRONTDESK_DB"),
    _row("admins", kinds.admins, "FRONTDESK_ADMINS"),
    _row("staff", kinds.place, "FRONTDESK_STAFF"),
)
"""Everything but the models."""

MODEL = (
    _row("name", kinds.text, "MODEL_NAME"),
    _row("base_url", kinds.url, "MODEL_BASE_URL"),
    _secret("api_key", kinds.secret, "MODEL_API_KEY", "ZHIPU_API_KEY"),
    _secret("api_secret", kinds.secret, "MODEL_API_SECRET"),
    _row("auth", kinds.one_of("bearer", "jwt"), "MODEL_AUTH"),
    _row("temperature", kinds.number(0, 2)),
    _row("max_tokens", kinds.whole(1, 1_000_000)),
    _row("thinking", kinds.thinking),
    _row("concurrency", kinds.whole(1, 1000)),
    _row("requests_per_minute", kinds.whole(0, 10**6)),
    _row("tokens_per_minute", kinds.whole(0, 10**9)),
    _row("context_tokens", kinds.whole(500, 10_000_000)),
    _row("price_input", _PRICE),
    _row("price_cached", _PRICE),
    _row("price_output", _PRICE),
    _row("currency", kinds.currency),
)
"""One model of the chain, `[[models]]` in the file; the variables speak of the first one."""


def variables() -> dict[str, Setting]:
    """Every variable that is understood, `…_FILE` of secrets included."""
    found: dict[str, Setting] = {}
    for setting in (*SETTINGS, *MODEL):
        for name in setting.names:
            found[name] = setting
            if setting.secret:
                found[f"{name}_FILE"] = setting
    return found
