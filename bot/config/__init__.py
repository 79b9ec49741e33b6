"""Settings: their shapes (`values`), what each may hold (`kinds`), their list (`table`), `load`."""

from bot.config.load import Loaded, load, spoken
from bot.config.values import (
    AccessConfig,
    Config,
    DeskConfig,
    EmbedderConfig,
    HttpConfig,
    KnowledgeConfig,
    ModelConfig,
    PrivacyConfig,
    Secret,
    SlackConfig,
    TelegramConfig,
)

__all__ = [
    "AccessConfig",
    "Config",
    "DeskConfig",
    "EmbedderConfig",
    "HttpConfig",
    "KnowledgeConfig",
    "Loaded",
    "ModelConfig",
    "PrivacyConfig",
    "Secret",
    "SlackConfig",
    "TelegramConfig",
    "load",
    "spoken",
]
