"""Fields that must be there in a JSON file, each refused by its own name; files whose other fields are let be. It knows no format."""

from __future__ import annotations

from typing import Any

from rostering.formats.error import FormatError


def get(holder: object, key: str, where: str) -> Any:
    """A value that must be there."""
    if not isinstance(holder, dict):
        raise FormatError(where=where, wrong="not an object")
    if key not in holder:
        raise FormatError(where=f"{where}.{key}", wrong="missing")
    return holder[key]


def listed(holder: object, key: str, where: str) -> list[Any]:
    """A list that must be there."""
    value = get(holder, key, where)
    if not isinstance(value, list):
        raise FormatError(where=f"{where}.{key}", wrong="not a list")
    return value


def text(holder: object, key: str, where: str) -> str:
    """A text that must be there and not be empty."""
    value = get(holder, key, where)
    if not isinstance(value, str) or not value:
        raise FormatError(where=f"{where}.{key}", wrong=f"{value!r} is not a text")
    return value
