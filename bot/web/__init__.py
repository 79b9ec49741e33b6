"""HTTP: a public listener for platforms and health, an operator's one for metrics."""

from bot.web.metrics import Metrics
from bot.web.readiness import Readiness
from bot.web.serve import Bound, serving

__all__ = ["Bound", "Metrics", "Readiness", "serving"]
