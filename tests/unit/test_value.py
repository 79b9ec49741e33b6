"""Values are what frozen, slotted, keyword-only dataclasses are; they only cost less to declare."""

from __future__ import annotations

import copy
import dataclasses
import pickle

import pytest

from bot.types import Button, ModelReset, Place, Usage, value

HERE = Place(platform="slack", account="T1", channel="C1")


@value
class Pair:
    """Two things, one of them made anew each time."""

    one: int
    more: list[int] = dataclasses.field(default_factory=list)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Twin:
    """The same, by dataclasses alone."""

    one: int
    more: list[int] = dataclasses.field(default_factory=list)


def test_it_is_made_shown_and_compared_as_a_dataclass_is() -> None:
    assert repr(Pair(one=1)) == repr(Twin(one=1)).replace("Twin", "Pair")
    assert Pair(one=1) == Pair(one=1) != Pair(one=2)
    twin: object = Twin(one=1)
    assert Pair(one=1) != twin
    assert Pair(one=1).more is not Pair(one=1).more
    assert [field.name for field in dataclasses.fields(Pair)] == ["one", "more"]
    assert dataclasses.asdict(Pair(one=1)) == {"one": 1, "more": []}
    assert ModelReset() == ModelReset()
    assert len({HERE, Place(platform="slack", account="T1", channel="C1")}) == 1


@pytest.mark.parametrize("given", [{}, {"one": 1, "two": 2}])
def test_what_is_missing_or_unknown_is_refused(given: dict[str, int]) -> None:
    with pytest.raises(TypeError):
        Pair(**given)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        Pair(1)  # type: ignore[call-arg]


def test_nothing_can_be_changed_or_added() -> None:
    for name in ("channel", "other"):
        with pytest.raises(AttributeError):
            setattr(HERE, name, "C2")
    with pytest.raises(AttributeError):
        del HERE.channel
    assert not hasattr(HERE, "__dict__")
    assert dataclasses.replace(HERE, channel="C2").channel == "C2"


@pytest.mark.parametrize("made", [HERE, Usage(prompt=3), Button(label="a", action="b")])
def test_it_is_copied_and_pickled_whole(made: object) -> None:
    assert copy.deepcopy(made) == pickle.loads(pickle.dumps(made)) == made
