"""Reading one field of a UHHC file at a time, each refused by its own name; it knows nothing of the problem."""

from __future__ import annotations

import gzip
import json
import math
import zlib
from pathlib import Path
from typing import Any

from rostering.formats.error import FormatError

FILE_BYTES_MAX = 400_000_000
NUMBER_MAX = 10**8


def whole_file(*, path: Path) -> dict[str, Any]:
    """The JSON object in a file, plain or gzip. Raises FormatError; OSError if there is no file."""
    raw = path.read_bytes()
    try:
        if raw[:2] == b"\x1f\x8b":
            unpack = zlib.decompressobj(wbits=31)
            raw = unpack.decompress(raw, FILE_BYTES_MAX)
            if not unpack.eof:
                raise FormatError(where="file", wrong="the gzip is cut short or unpacks to too much")
        whole = json.loads(raw)
    except (ValueError, zlib.error, gzip.BadGzipFile, RecursionError) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(where="file", wrong=f"not JSON, or cut short: {error}") from error
    if not isinstance(whole, dict):
        raise FormatError(where="file", wrong="not a JSON object")
    return whole


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
