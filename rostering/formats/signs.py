"""What the format of a file is told from; it reads no file (rostering.formats.any_file)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """What tells a file's format: how it begins, once unpacked, and the keys of its JSON object (none for other text)."""

    suffix: str
    head: bytes
    keys: frozenset[str]
