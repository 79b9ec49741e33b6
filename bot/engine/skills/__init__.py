"""Skills: named ways to answer, each a row in a file of its own."""

from bot.engine.skills.arguments import Given, answered, understood
from bot.engine.skills.author import Author, Occasion
from bot.engine.skills.prompt import request_for
from bot.engine.skills.recipe import Parameter, Skill, load_skills, parse
from bot.engine.skills.run import Fetch, Skills

__all__ = [
    "Author",
    "Fetch",
    "Given",
    "Occasion",
    "Parameter",
    "Skill",
    "Skills",
    "answered",
    "load_skills",
    "parse",
    "request_for",
    "understood",
]
