"""The ledger in numbers: `span` says which time is meant, `report` counts, `render` writes."""

from bot.stats.render import render
from bot.stats.report import Bucket, Latency, Report, report
from bot.stats.span import Span, parse_range

__all__ = ["Bucket", "Latency", "Report", "Span", "parse_range", "render", "report"]
