"""The admin pages: server-rendered, for a phone as for a desk, without a script."""

from bot.web.admin.behind import Behind
from bot.web.admin.routes import add_pages

__all__ = ["Behind", "add_pages"]
