"""Settings: their shapes (`values`), what each may hold (`kinds`), their list (`table`), `load`."""

from bot.config.load import Loaded, load
from bot.config.values import (
    Config,
    DeskConfig,
    HttpConfig,
    KnowledgeConfig,
    ModelConfig,
    Secret,
    SlackConfig,
    TelegramConfig,
)

__all__ = [
    "Config",
    "DeskConfig",
    "HttpConfig",
    "KnowledgeConfig",
    "Loaded",
    "ModelConfig",
    "Secret",
    "SlackConfig",
    "TelegramConfig",
    "load",
]
