"""Fields of JSON objects, checked: each function gives the value or raises FormatError naming the field. It knows no format."""

from __future__ import annotations

import gzip
import json
import math
import zlib
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from rostering.formats.error import FormatError

FILE_BYTES_MAX = 400_000_000
WHOLE_MAX = 10**9


def json_object(*, path: Path) -> dict[str, Any]:
    """The JSON object in a file, plain or gzip. Raises FormatError, OSError."""
    raw = path.read_bytes()
    try:
        if raw[:2] == b"\x1f\x8b":
            unpack = zlib.decompressobj(wbits=31)
            raw = unpack.decompress(raw, FILE_BYTES_MAX)
            if not unpack.eof:
                raise FormatError(where="file", wrong="the gzip is cut short or unpacks to too much")
        whole = json.loads(raw, object_pairs_hook=_once)
    except (ValueError, zlib.error, gzip.BadGzipFile, RecursionError) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(where="file", wrong=f"not JSON, or cut short: {error}") from error
    if not isinstance(whole, dict):
        raise FormatError(where="file", wrong="not a JSON object")
    return whole


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key, value in pairs:
        if key in found:
            raise FormatError(where=key, wrong="stands twice in one object")
        found[key] = value
    return found


def only(*, holder: object, known: Iterable[str], where: str) -> dict[str, Any]:
    """The object itself, when it is one and has no key but the known ones."""
    if not isinstance(holder, dict):
        raise FormatError(where=where, wrong="not an object")
    names = tuple(known)
    for key in holder:
        if key not in names:
            near = get_close_matches(key, names, n=1)
            hint = f"; is {near[0]!r} meant?" if near else f"; known are {', '.join(names)}"
            raise FormatError(where=f"{where}.{key}", wrong=f"not a field that is known{hint}")
    return holder


def listed(*, holder: dict[str, Any], key: str, where: str, optional: bool = False) -> list[Any]:
    """A list; an empty one for a missing optional key."""
    if key not in holder:
        if optional:
            return []
        raise FormatError(where=f"{where}.{key}", wrong="missing")
    if not isinstance(holder[key], list):
        raise FormatError(where=f"{where}.{key}", wrong="not a list")
    return holder[key]  # type: ignore[no-any-return]


def whole(*, value: object, where: str, least: int = 0, most: int = WHOLE_MAX) -> int:
    """A whole number within bounds, both included."""
    if (
        isinstance(value, bool)
        or not isinstance(value, (int, float))
        or not math.isfinite(value)
        or value != int(value)
    ):
        raise FormatError(where=where, wrong=f"{value!r} is not a whole number")
    if not least <= value <= most:
        raise FormatError(where=where, wrong=f"{value!r} is not from {least} to {most}")
    return int(value)


def number(*, value: object, where: str, least: float, most: float) -> float:
    """A finite number within bounds, both included."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise FormatError(where=where, wrong=f"{value!r} is not a finite number")
    if not least <= value <= most:
        raise FormatError(where=where, wrong=f"{value!r} is not from {least:g} to {most:g}")
    return float(value)
