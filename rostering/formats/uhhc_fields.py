"""Reading one field of a UHHC file at a time, each refused by its own name; it knows nothing of the problem."""

from __future__ import annotations

import math

from rostering.formats.error import FormatError
from rostering.formats.required import get, listed

NUMBER_MAX = 10**8


def texts(holder: object, key: str, where: str) -> frozenset[str] | None:
    """A list of texts, or None when it is missing or null."""
    if not isinstance(holder, dict) or holder.get(key) is None:
        return None
    found = listed(holder, key, where)
    for i, value in enumerate(found):
        if not isinstance(value, str):
            raise FormatError(where=f"{where}.{key}[{i}]", wrong=f"{value!r} is not a text")
    return frozenset(found)


def whole(holder: object, key: str, where: str) -> int:
    """A whole number from 0 that must be there."""
    return whole_value(get(holder, key, where), f"{where}.{key}")


def whole_value(value: object, where: str) -> int:
    """A whole number from 0 (a float only if it is whole)."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise FormatError(where=where, wrong=f"{value!r} is not a finite number")
    if not 0 <= value <= NUMBER_MAX or value != int(value):
        raise FormatError(where=where, wrong=f"{value!r} is negative, huge or not whole")
    return int(value)


def flag(holder: object, key: str, where: str) -> bool:
    """True or false; false when it is missing or null."""
    value = holder.get(key) if isinstance(holder, dict) else None
    if value is not None and not isinstance(value, bool):
        raise FormatError(where=f"{where}.{key}", wrong=f"{value!r} is not true or false")
    return bool(value)


def unique(names: list[str], where: str) -> dict[str, int]:
    """The position of each name."""
    places: dict[str, int] = {}
    for i, name in enumerate(names):
        if name in places:
            raise FormatError(where=f"{where}[{i}].id", wrong=f"{name!r} twice")
        places[name] = i
    return places
