"""What every search engine is: it says which problems it cannot express, and searches the others. Not an engine itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from rostering.search.compiled import Compiled
from rostering.stop import Progress, StopRule

Stops = tuple[tuple[int, int, int], ...]
"""(demand, slot, start) in order of start."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a search found: the stops of each duty that has any (demands in none are unfilled), and how it came to it.

    `curve` is (iteration, objective in points) at each improvement. `meals` has (demand at whose place, start, end) of
    duties that eat; `reasons` says why a demand is in no run, where the engine knows.
    """

    runs: Mapping[int, Stops]
    iterations: int
    curve: tuple[tuple[int, int], ...] = field(default=())
    meals: Mapping[int, tuple[int, int, int]] = field(default_factory=dict)
    reasons: Mapping[int, str] = field(default_factory=dict)


class Engine(Protocol):
    """A search. Iterations count alike on every machine, so that a seed and an iteration limit repeat an answer."""

    @property
    def name(self) -> str:
        """Its name, as `Params.engine` gives it."""
        ...

    def refuses(self, *, compiled: Compiled) -> str | None:
        """What of the problem it cannot express, as a short reason; None when it can search it."""
        ...

    def search(
        self,
        *,
        compiled: Compiled,
        stop: StopRule,
        seed: int,
        start: Mapping[int, Stops] | None = None,
        report: Callable[[Progress], None] | None = None,
    ) -> Answer:
        """The best answer before `stop`, searched from `start` (a warm start) when there is one."""
        ...
