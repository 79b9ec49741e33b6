"""Settings: one frozen tree by topic. Precedence: environment > .env > frontdesk.toml > default.

Names of variables and keys are a contract. A secret has a type that prints as stars.
"""

from __future__ import annotations

from dataclasses import field

from bot.types import Place, value


class Secret:
    """Text that must not be seen: prints as stars and is revealed by name only."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself; call it only where bytes leave for its owner."""
        return self._text

    def __bool__(self) -> bool:
        return bool(self._text)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __repr__(self) -> str:
        return "Secret(•••)" if self._text else "Secret()"

    __str__ = __repr__


@value
class TelegramConfig:
    """The Telegram bot. `pace` is official, or off for a private Bot API server or a benchmark.

    `mode` is polling or webhook; the latter needs `webhook_secret` and `http.public_url`.
    `streaming`: a growing answer is shown by edits of its message, or in private by drafts.
    """

    token: Secret = Secret("")
    api_root: str = "https://api.telegram.org"
    pace: str = "official"
    mode: str = "polling"
    streaming: str = "edits"
    webhook_secret: Secret = Secret("")


@value
class SlackConfig:
    """The Slack app. `mode`: socket, http, or auto (socket when there is an app token).

    `streaming`: answers grow as Slack's own streams (native), in direct messages only (direct), or
    by edits everywhere (edits).
    """

    bot_token: Secret = Secret("")
    app_token: Secret = Secret("")
    signing_secret: Secret = Secret("")
    api_root: str = "https://slack.com/api/"
    mode: str = "auto"
    streaming: str = "native"


@value
class ModelConfig:
    """One model of the chain. Prices are per million tokens in `currency`; None: unknown.

    `api_key` is a bearer key, or `id.secret` for `auth` "jwt". `thinking` None leaves the
    provider's default. `currency` "" means the desk's; `load` fills it in. What is allowed per
    minute is 0 where there is no limit.
    """

    name: str = "glm-4.7-flash"
    base_url: str = "https://open.bigmodel.cn/api/paas/v4"
    api_key: Secret = Secret("")
    auth: str = "bearer"
    temperature: float = 0.3
    max_tokens: int = 2048
    thinking: bool | None = False
    concurrency: int = 8
    requests_per_minute: int = 0
    tokens_per_minute: int = 0
    context_tokens: int = 8000
    price_input: float | None = None
    price_cached: float | None = None
    price_output: float | None = None
    currency: str = ""


@value
class DeskConfig:
    """How the desk presents itself and answers.

    `locale` "" means: as the person writes. `timezone` is an IANA name that exists. `answers` is
    strict (knowledge only), assist (knowledge first) or open (the model alone). `busy` is queue or
    interrupt: what a new message does to a running answer. `concurrent` bounds running answers.
    `digest` is the local time, as 09:00, at which staff get the day before in numbers; "": never.
    """

    name: str = "Frontdesk"
    greeting: str = ""
    persona: str = ""
    contact: str = ""
    locale: str = ""
    timezone: str = "UTC"
    answers: str = "assist"
    currency: str = "USD"
    history_turns: int = 20
    busy: str = "queue"
    concurrent: int = 256
    digest: str = ""


@value
class KnowledgeConfig:
    """Where knowledge comes from; `folder` is imported at start, and when its files change."""

    folder: str = ""
    watch: bool = True
    file_max_bytes: int = 20 * 1024 * 1024


@value
class EmbedderConfig:
    """What finds passages by meaning: `kind` none, openai (an endpoint of that style) or local.

    The rest is for openai. Without `api_key` a model's key for the same host is used.
    `dimensions` are asked for; 0: the model's own length, and the field is not sent.
    """

    kind: str = "none"
    base_url: str = "https://open.bigmodel.cn/api/paas/v4"
    api_key: Secret = Secret("")
    name: str = "embedding-3"
    dimensions: int = 512


@value
class HttpConfig:
    """The two listeners, as host:port; empty turns one off. `public_url` is what platforms call,
    `admin_url` what an administrator's browser calls; empty: the operator's listener itself.
    """

    public: str = "127.0.0.1:8080"
    operator: str = "127.0.0.1:8081"
    public_url: str = ""
    admin_url: str = ""


@value
class AccessConfig:
    """Who is let in and how much they may ask; a limit of 0 is none.

    `entry` is open, or listed: only `allow` and whom an admin lets in. `block` keeps out by name.
    Days are those of the desk's time zone, costs in its currency. `spent`: once a budget is used
    up, knowledge (excerpts only) or stop.
    """

    entry: str = "open"
    allow: frozenset[str] = frozenset()
    block: frozenset[str] = frozenset()
    person_per_minute: int = 60
    chat_per_minute: int = 300
    person_per_day: int = 0
    person_tokens_per_day: int = 0
    tokens_per_day: int = 0
    cost_per_day: float = 0.0
    spent: str = "knowledge"


@value
class PrivacyConfig:
    """What the model is not shown, and for how many days things are kept.

    `mask` names kinds of masking: email, phone, card, id. `done_days` are those of answered
    messages as they came in; platforms deliver again within a day.
    """

    mask: frozenset[str] = frozenset()
    history_days: int = 90
    done_days: int = 7
    dead_days: int = 30


@value
class Config:
    """Everything that can be set. `admins` are `platform:id` or `platform:team/id`.

    `models` is empty when none has a key or an own address: answers are then excerpts.
    `skills` is a folder of NAME.toml files, which need not be there unless it was set.
    `database`, `skills` and `knowledge.folder` are absolute once loaded.
    """

    desk: DeskConfig = DeskConfig()
    telegram: TelegramConfig = TelegramConfig()
    slack: SlackConfig = SlackConfig()
    models: tuple[ModelConfig, ...] = field(default_factory=tuple)
    knowledge: KnowledgeConfig = KnowledgeConfig()
    embedder: EmbedderConfig = EmbedderConfig()
    http: HttpConfig = HttpConfig()
    access: AccessConfig = AccessConfig()
    privacy: PrivacyConfig = PrivacyConfig()
    skills: str = "skills"
    database: str = "frontdesk.db"
    admins: frozenset[str] = frozenset()
    staff: Place | None = None

    def secrets(self) -> tuple[Secret, ...]:
        """All that must never be seen, for the log to star; both halves of a joined key too."""
        keys = [*(model.api_key for model in self.models), self.embedder.api_key]
        halves = [Secret(half) for key in keys for half in key.reveal().split(".")]
        telegram, slack = self.telegram, self.slack
        held = (telegram.token, telegram.webhook_secret, slack.bot_token, slack.app_token)
        return tuple(filter(None, (*held, slack.signing_secret, *keys, *halves[1::2])))
