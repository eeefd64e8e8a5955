"""The shape of a roster constraint: what the search reads (`encode`) and what the verifier reads (`violations`).

The two are written apart on purpose: each checks the other. Nothing here searches or verifies.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from rostering.problem import Demand, Problem, Window, Worker
from rostering.roster import Roster

Span = tuple[int, int]


class RunTimes(NamedTuple):
    """Times of one run that the search is thinking of: leaving, coming back, and each stop's arrive, start, end."""

    leave: int
    back: int
    arrives: Sequence[int]
    starts: Sequence[int]
    ends: Sequence[int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Encoding:
    """What the search must respect, as cheap questions; None where the constraint has nothing to say.

    pair: may this worker take this slot? alike: what of a slot `pair` reads (slots alike in it are asked about once; None:
    about each). starts: the legal windows of the visit's start (of its first slot).
    anchored: must this visit's start stay put once placed, because other runs depend on it?
    blocked: starts forbidden (both ends excluded) given the spans of visits placed already.
    run: may one worker work this run? days: may they work all these runs, in order of time?
    """

    pair: Callable[[Demand, int, Worker], bool] | None = None
    alike: Callable[[Demand, int], Hashable] | None = None
    starts: Callable[[Demand], tuple[Window, ...]] | None = None
    anchored: Callable[[Demand], bool] | None = None
    blocked: Callable[[Demand, Mapping[str, Span]], tuple[Span, ...]] | None = None
    run: Callable[[Worker, RunTimes], bool] | None = None
    days: Callable[[Worker, Sequence[RunTimes]], bool] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """A hard rule that a roster breaks, where, and the sentence that says it."""

    rule: str
    sentence: str
    visit: str | None = None
    worker: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Constraint:
    """A hard rule: its name, what the search respects, and an independent check of a finished roster."""

    name: str
    encode: Callable[[Problem], Encoding]
    violations: Callable[[Problem, Roster], tuple[Violation, ...]]
