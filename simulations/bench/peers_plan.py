"""What a peer answers, and the answer as a Roster; it neither solves nor judges."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from rostering.problem import Problem
from rostering.roster import Roster, Unfilled, timed_run
from rostering.search.compiled import Compiled

Order = Sequence[tuple[int, int]]
"""(demand, slot) in the order of a run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """By duty, the stops of its run as (demand, slot, start). `approximates`: what of the objective the peer did not see."""

    runs: Mapping[int, Sequence[tuple[int, int, int]]]
    approximates: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """How long a peer may search. By `cpu` it is the process's own time, fair on a busy machine, where a peer can be asked so."""

    seconds: float
    is_cpu: bool = False

    @property
    def clock(self) -> Callable[[], float]:
        """The clock that `seconds` are of."""
        return time.process_time if self.is_cpu else time.monotonic


class PeerError(RuntimeError):
    """A peer that came to no answer at all: the sentence says which and how."""


def timed(*, compiled: Compiled, orders: Mapping[int, Order]) -> Plan:
    """The runs with every start as early as travel and the first window that fits allow (late when none does)."""
    runs: dict[int, list[tuple[int, int, int]]] = {}
    for r, order in orders.items():
        duty = compiled.duties[r]
        worker = compiled.workers[duty.worker]
        place, now, made = worker.home, duty.start, []
        for d, k in order:
            demand = compiled.demands[d]
            now += 0 if place is None else compiled.problem.travel.between(worker.mode, place, demand.place)
            now = next((max(now, low) for low, high in compiled.windows[d] if now <= high), now)
            made.append((d, k, now))
            place, now = demand.place, now + demand.slots[k].service_seconds
        if made:
            runs[r] = made
    return Plan(runs=runs)


def roster_of(*, compiled: Compiled, plan: Plan) -> Roster:
    """The plan as a roster; whatever is in no run is unfilled."""
    problem: Problem = compiled.problem
    runs = tuple(
        timed_run(
            problem=problem,
            worker=compiled.workers[compiled.duties[r].worker],
            stops=[(compiled.demands[d], k, start) for d, k, start in stops],
        )
        for r, stops in sorted(plan.runs.items())
        if stops
    )
    placed = {(d, k) for stops in plan.runs.values() for d, k, _ in stops}
    missing = tuple(
        Unfilled(visit=demand.id, slot=k, reason="the peer left it out")
        for d, demand in enumerate(compiled.demands)
        for k in range(len(demand.slots))
        if (d, k) not in placed
    )
    return Roster(runs=runs, unfilled=missing)
