"""The solves of an instance benchmark as a JSON-lines file: each appended when done, so that a killed run goes on.

It keeps results, not solutions (`--keep` keeps those), and knows nothing of searching.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


class RecordError(ValueError):
    """A record file that is not one: names the file and its line."""


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class Key:
    """What makes two solves the same solve."""

    set_name: str
    instance: str
    seed: int
    seconds: float
    clock: str
    processes: int
    version: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Solved:
    """One solve, evaluated. `objective` is None when the evaluator found faults, which are named.

    `unfilled` counts slots; `seconds` is the search alone by the key's clock, `compile_seconds` its warm-up before.
    """

    key: Key
    objective: float | None
    unfilled: int
    faults: tuple[str, ...]
    seconds: float
    compile_seconds: float
    iterations: int
    parts: dict[str, float]


@dataclass(frozen=True, slots=True)
class Record:
    """The file at `path`, or nothing kept when it is None."""

    path: Path | None

    def read(self) -> dict[Key, Solved]:
        """What is done already. A last line without its end (a killed run) is cut off. Raises RecordError."""
        if self.path is None or not self.path.exists():
            return {}
        raw = self.path.read_bytes()
        whole = raw[: raw.rfind(b"\n") + 1]
        found = dict(self._lines(whole.decode("utf-8", errors="replace").splitlines()))
        if len(whole) < len(raw):
            with self.path.open("r+b") as file:
                file.truncate(len(whole))
        return found

    def append(self, solved: Solved) -> None:
        """Adds one solve; it is on disk when this returns."""
        if self.path is None:
            return
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(solved)) + "\n")
            file.flush()
            os.fsync(file.fileno())

    def _lines(self, lines: Iterable[str]) -> Iterable[tuple[Key, Solved]]:
        for number, line in enumerate(lines, start=1):
            try:
                solved = _solved(json.loads(line))
            except (ValueError, TypeError, KeyError) as error:
                raise RecordError(
                    f"--resume: {self.path} line {number} is not a solve of this benchmark; name another file"
                ) from error
            yield solved.key, solved


def _solved(line: dict[str, Any]) -> Solved:
    solved = Solved(**{**line, "key": Key(**line["key"]), "faults": tuple(line["faults"])})
    if not isinstance(solved.objective, float | int | None) or isinstance(solved.objective, bool):
        raise TypeError("objective")
    return solved
