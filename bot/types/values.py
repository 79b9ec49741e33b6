"""How a noun is made: frozen, slotted, keyword-only, and cheap to make."""

from __future__ import annotations

from dataclasses import MISSING, Field, dataclass
from typing import Any, TypeVar, cast, dataclass_transform

import msgspec

T = TypeVar("T")


@dataclass_transform(frozen_default=True, kw_only_default=True)
def value(cls: type[T]) -> type[T]:
    """A frozen, slotted, keyword-only dataclass, made and compared in C.

    It is a msgspec Struct that still tells its fields the way of dataclasses, so that `replace`,
    `fields` and `asdict` know it. A dozen of them are made for every word that comes in, and
    `__init__` of a frozen dataclass takes ten times as long.
    """
    named: Any = dataclass(init=False, repr=False, eq=False, kw_only=True)(cls)
    fields = named.__dataclass_fields__
    body = {name: item for name, item in vars(cls).items() if name not in {*fields, *_GIVEN}}
    made: Any = msgspec.defstruct(
        cls.__name__,
        [(name, field.type, _default(field)) for name, field in fields.items()],
        namespace=body,
        frozen=True,
        kw_only=True,
    )
    made.__qualname__ = cls.__qualname__
    made.__dataclass_fields__ = fields
    return cast("type[T]", made)


_GIVEN = {"__dict__", "__weakref__", "__annotations__"}
"""What a class has that is not to go over into the Struct made of it."""


def _default(field: Field[Any]) -> object:
    if field.default_factory is not MISSING:
        return msgspec.field(default_factory=field.default_factory)
    return msgspec.NODEFAULT if field.default is MISSING else field.default
