"""Finds the format of a file and reads it; it knows no format's fields, only how each is told from the others."""

from __future__ import annotations

import json
import zlib
from pathlib import Path
from types import ModuleType
from typing import Any

from rostering.formats import FORMATS
from rostering.formats.error import FormatError
from rostering.formats.signs import Signs

HEAD_BYTES = 4_000
JSON_BYTES_MAX = 100_000_000


def read_any(*, path: Path) -> tuple[ModuleType, Any]:
    """The format and the instance of a file. Raises FormatError (of the format that the file means to be of), OSError.

    A format with a function `claims(signs=…)` that says yes is the file's; formats without one are tried in order.
    """
    signs = _signs(path)
    claimed = [each for each in FORMATS if hasattr(each, "claims") and each.claims(signs=signs)]
    refused: list[FormatError] = []
    for file_format in claimed or [each for each in FORMATS if not hasattr(each, "claims")]:
        try:
            return file_format, file_format.read(path=path)
        except FormatError as error:
            refused.append(error)
    raise refused[0]


def _signs(path: Path) -> Signs:
    raw = path.read_bytes()
    if raw[:2] == b"\x1f\x8b":
        raw = _unpacked(raw)
    suffixes = [suffix for suffix in path.suffixes if suffix != ".gz"]
    return Signs(suffix=suffixes[-1].lower() if suffixes else "", head=raw[:HEAD_BYTES], keys=_keys(raw))


def _unpacked(raw: bytes) -> bytes:
    """As much as can be unpacked: what is wrong with the file is its format's to say."""
    unpack = zlib.decompressobj(wbits=31)
    try:
        return unpack.decompress(raw, JSON_BYTES_MAX)
    except zlib.error:
        return b""


def _keys(raw: bytes) -> frozenset[str]:
    if raw.lstrip()[:1] != b"{" or len(raw) > JSON_BYTES_MAX:
        return frozenset()
    try:
        whole = json.loads(raw)
    except (ValueError, RecursionError):
        return frozenset()
    return frozenset(whole) if isinstance(whole, dict) else frozenset()
