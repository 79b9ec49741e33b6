"""What holds for every test."""

import importlib
import os
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import settings

TESTS = Path(__file__).parent

# The machines are noisy, so no property is judged by the clock; what a text costs is judged in CPU
# time where that is the law. The gate tries the same examples each time, everybody else new ones;
# `make soak` asks for the long profile.
settings.register_profile("house", deadline=None, max_examples=50)
settings.register_profile("gate", settings.get_profile("house"), derandomize=True)
settings.load_profile("gate" if os.environ.get("CI") else "house")
settings.register_profile("long", max_examples=500)


def pytest_collection(session: pytest.Session) -> None:
    """Each worker begins to read elsewhere, and finds compiled what the others began with.

    Otherwise all would compile every test of a fresh clone at the same time.
    """
    worker = getattr(session.config, "workerinput", None)
    if worker is None or session.config.args != session.config.getini("testpaths"):
        return
    names = sorted(
        ".".join(path.relative_to(TESTS.parent).with_suffix("").parts)
        for path in TESTS.rglob("test_*.py")
    )
    begin = len(names) * int(worker["workerid"].removeprefix("gw")) // worker["workercount"]
    for name in (*names[begin:], *names[:begin]):
        with suppress(Exception):  # what is wrong is said when it is collected
            importlib.import_module(name)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest proofs begin first, so that no worker is left alone with one at the end."""
    items.sort(key=_lateness)


def _lateness(item: pytest.Item) -> int:
    if item.get_closest_marker("soak") is None:
        return 2
    return 0 if item.path.is_relative_to(TESTS / "faults") else 1
