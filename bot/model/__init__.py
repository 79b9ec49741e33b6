"""The language model: client, layers, and the desk's own voice without one."""

from bot.model.build import build_model, probe

__all__ = ["build_model", "probe"]
