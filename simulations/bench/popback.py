"""`popback bench popback`: how fast the pop-back desk answers on a published day, and whether it misses or breaks anything.

A seeded locality is rostered and held as published. Requests are drawn at random; each is timed at the desk
(rostering.popback.offers), judged by an exhaustive insertion that shares no code with it, and its best offer is put in
and looked at: every visit inside its window, nothing that the verifier did not say before.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from rostering.popback import Offer, accept, offers
from rostering.problem import Demand, Problem, Slot, Window
from rostering.roster import Roster
from rostering.solver import Params, solve
from rostering.stop import AnyOf, FirstFeasible, Seconds
from rostering.verify import violations
from simulations.bench.popback_exhaustive import Exhaustive
from simulations.bench.roster_locality import locality

VISITS_PER_WORKER: Final = 8.4
MINUTE: Final = 60
OPENS, CLOSES = 7 * 3_600, 21 * 3_600
FLEXIBLE_SECONDS: Final = 30 * MINUTE
MINUTES: Final = (15, 20, 30, 30, 45)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """How many offers are measured, on how many visits, and how long the day may be rostered before."""

    offers: int = 200
    visits: int = 1_000
    workers: int | None = None
    seed: int = 1
    publish_seconds: float = 20.0

    def __post_init__(self) -> None:
        for name in ("offers", "visits"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}: {getattr(self, name)}; give 1 or more")
        if self.workers is not None and self.workers < 1:
            raise ValueError(f"workers: {self.workers}; give 1 or more, or leave it out")


@dataclass(frozen=True, slots=True)
class _Answered:
    wall_ms: float
    cpu_ms: float
    is_offered: bool
    is_feasible: bool
    moved: int
    outside: int
    new_violations: int


def run(*, asked: Asked, say: Callable[[str], None]) -> dict[str, Any]:
    """The figures, as `--json` prints them. `say` gets a line of progress now and then."""
    began = time.monotonic()
    workers = asked.workers or max(1, round(asked.visits / VISITS_PER_WORKER))
    problem = locality(workers=workers, visits=asked.visits, days=1, seed=asked.seed)
    say(f"rostering {asked.visits} visits of {workers} workers for up to {asked.publish_seconds:g} s")
    published = publish(problem=problem, seconds=asked.publish_seconds, seed=asked.seed)
    exhaustive = Exhaustive(problem=problem, roster=published)
    requests = drawn(problem=problem, count=asked.offers, seed=asked.seed)
    _answer(problem, published, exhaustive, requests[0])  # warms the caches, so that all requests meet the same desk
    answered: list[_Answered] = []
    for number, request in enumerate(requests, start=1):
        answered.append(_answer(problem, published, exhaustive, request))
        if number % 25 == 0 or number == len(requests):
            say(f"{number} of {len(requests)} offers, p95 so far {_share(answered, 0.95, 'wall_ms'):.0f} ms")
    return _figures(asked, workers, published, answered, time.monotonic() - began)


def publish(*, problem: Problem, seconds: float, seed: int) -> Roster:
    """A roster of the day as it might be published: the search's, stopped when every visit is in or the time is up."""
    stop = AnyOf((Seconds(seconds), FirstFeasible()))
    return solve(problem=problem, stop=stop, seed=seed, params=Params(effort_seconds=0)).roster


def drawn(*, problem: Problem, count: int, seed: int) -> tuple[Demand, ...]:
    """So many requests of random customers at random times of the day, half an hour either way."""
    rng = random.Random(f"popbacks {seed}")
    made: list[Demand] = []
    for number in range(count):
        usual = rng.choice(problem.demands)
        at = rng.randrange(OPENS, CLOSES, 5 * MINUTE)
        seconds = rng.choice(MINUTES) * MINUTE
        made.append(
            Demand(
                id=f"popback{number:05}",
                customer=usual.customer,
                place=usual.place,
                slots=tuple(Slot(seconds, slot.skills) for slot in usual.slots),
                windows=(Window(at - FLEXIBLE_SECONDS, at + FLEXIBLE_SECONDS),),
                preferred_start=at,
                gender=usual.gender,
                language=usual.language,
                excluded_workers=usual.excluded_workers,
                preferred_workers=usual.preferred_workers,
                gap_seconds=0,
            )
        )
    return tuple(made)


def _answer(problem: Problem, published: Roster, exhaustive: Exhaustive, request: Demand) -> _Answered:
    window = request.windows[0]
    wall, cpu = time.perf_counter(), time.process_time()
    found = offers(problem=problem, roster=published, demand=request, earliest=window.earliest, latest=window.latest)
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    feasible = bool(found.offers) or exhaustive.can_insert(
        demand=request, earliest=window.earliest, latest=window.latest
    )
    best = found.offers[0] if found.offers else None
    outside, new = (0, 0) if best is None else _consequences(problem, published, best)
    return _Answered(
        wall_ms=wall * 1_000,
        cpu_ms=cpu * 1_000,
        is_offered=best is not None,
        is_feasible=feasible,
        moved=0 if best is None else len(best.moved),
        outside=outside,
        new_violations=new,
    )


def _consequences(problem: Problem, published: Roster, offer: Offer) -> tuple[int, int]:
    """(visits that start outside every window with the offer taken, violations that were not there before)."""
    more, after = accept(problem=problem, roster=published, offer=offer)
    demands, before = more.demand_by_id(), published.starts()
    outside = sum(
        start != before.get((visit, slot), ("", start - 1))[1]
        and not any(
            w.earliest <= start - (0 if not slot else demands[visit].sync.min_seconds) <= w.latest
            for w in demands[visit].windows
        )
        for (visit, slot), (_, start) in after.starts().items()
    )
    known = {(v.rule, v.visit, v.worker) for v in violations(problem=problem, roster=published)}
    found = {(v.rule, v.visit, v.worker) for v in violations(problem=more, roster=after)}
    return outside, len(found - known)


def _share(answered: list[_Answered], share: float, name: str) -> float:
    values = sorted(getattr(each, name) for each in answered)
    return float(values[min(len(values) - 1, int(share * len(values)))])


def _figures(
    asked: Asked, workers: int, published: Roster, answered: list[_Answered], seconds: float
) -> dict[str, Any]:
    feasible = sum(each.is_feasible for each in answered)
    offered = sum(each.is_offered for each in answered)
    return {
        "visits": asked.visits,
        "workers": workers,
        "seed": asked.seed,
        "published_unfilled": len(published.unfilled),
        "offers": len(answered),
        "p50_ms": round(_share(answered, 0.5, "wall_ms"), 1),
        "p95_ms": round(_share(answered, 0.95, "wall_ms"), 1),
        "max_ms": round(_share(answered, 1.0, "wall_ms"), 1),
        "cpu_p95_ms": round(_share(answered, 0.95, "cpu_ms"), 1),
        "feasible": feasible,
        "offered": offered,
        "accepted": 1.0 if not feasible else offered / feasible,
        "moved": sum(each.moved for each in answered),
        "moved_outside_window": sum(each.outside for each in answered),
        "new_violations": sum(each.new_violations for each in answered),
        "seconds": round(seconds, 1),
    }
