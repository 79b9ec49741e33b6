"""How a noun is made: frozen, slotted, keyword-only, and cheap to make."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, dataclass, fields
from operator import attrgetter
from typing import Any, TypeVar, cast, dataclass_transform

T = TypeVar("T")


@dataclass_transform(frozen_default=True, kw_only_default=True)
def value(cls: type[T]) -> type[T]:
    """A frozen, slotted, keyword-only dataclass.

    What it compares, shows and refuses is one code for all of them, and its `__init__` is written
    when the first one is made: dataclasses would compile six functions for each of a hundred
    classes, which was a third of the time that a short command took to start.
    """
    plain = {name: cls.__dict__[name] for name in cls.__annotations__ if name in cls.__dict__}
    made: Any = dataclass(slots=True, kw_only=True, init=False, repr=False, eq=False)(cls)
    names = tuple(one.name for one in fields(made))
    held = attrgetter("__class__", *names)

    def init(self: Any, **given: Any) -> None:
        body = {"__annotations__": cls.__annotations__, "__module__": cls.__module__, **plain}
        whole: Any = dataclass(frozen=True, kw_only=True, repr=False, eq=False)(type("", (), body))
        made.__init__ = whole.__init__
        made.__init__(self, **given)

    def eq(self: Any, other: object) -> bool:
        return held(self) == held(other) if other.__class__ is self.__class__ else NotImplemented

    def shown(self: Any) -> str:
        return f"{made.__qualname__}({', '.join(f'{one}={getattr(self, one)!r}' for one in names)})"

    own = {"__init__": init, "__eq__": eq, "__hash__": lambda self: hash(held(self))}
    own |= {"__repr__": shown, "__setattr__": _frozen, "__delattr__": _frozen}
    own |= {"__getstate__": _state, "__setstate__": _restore}
    for name, method in own.items():
        if name not in cls.__dict__:
            setattr(made, name, method)
    return cast("type[T]", made)


def _frozen(self: object, name: str, _item: object = None) -> None:
    raise FrozenInstanceError(f"cannot change field {name!r}")


def _state(self: Any) -> tuple[object, ...]:
    return tuple(getattr(self, one.name) for one in fields(self))


def _restore(self: Any, state: tuple[object, ...]) -> None:
    for one, item in zip(fields(self), state, strict=True):
        object.__setattr__(self, one.name, item)
