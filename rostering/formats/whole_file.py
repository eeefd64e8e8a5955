"""A file that is there whole or not at all, whenever a write ends. Not what is written."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def whole(*, path: Path) -> Iterator[Path]:
    """A path beside `path`, whose name ends with its own, to write to: it becomes `path` at the end, or is gone after an exception."""
    aside = path.with_name(f".half-{os.getpid()}-{path.name}")
    try:
        yield aside
        with aside.open("rb+") as file:
            os.fsync(file.fileno())
        aside.replace(path)
    finally:
        aside.unlink(missing_ok=True)
