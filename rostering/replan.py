"""Re-plan a published roster after a disruption: a worker rings in sick, visits are new, gone or moved. It publishes nothing.

What stands stays: pinned visits never change, others change only to fill what was lost, at a cost each, inside their
windows and never further than a stated limit from the time that was published. Nobody who had a worker loses them.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from rostering.blocks import unfilled_of
from rostering.constraint import Span, Violation
from rostering.constraints import complete
from rostering.problem import TIME_MAX, Demand, Problem, Shift, Worker
from rostering.replan_improve import improve
from rostering.replan_room import drop_halves, keep_promises, make_room
from rostering.replan_search import Published, Repair
from rostering.roster import Roster, Run, Unfilled, timed_run
from rostering.standing import Keep, Slot, Standing
from rostering.standing_rules import Rules
from rostering.stop import Progress, StopRule
from rostering.verify import violations
from rostering.ways import Tastes

WORSENED_MINUTES_MAX = 60
CHANGED_SHARE_MAX = 0.03
"""Of all slots, how many may change so that a visit is filled that nobody had before the disruption, either."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangedVisit:
    """A slot that is not as published: (worker, start) before and after; None: nobody had it, or nobody has it."""

    visit: str
    slot: int
    was: tuple[str, int] | None
    becomes: tuple[str, int] | None
    is_lost: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Replanned:
    """The roster after the disruption, and everything that is not as published.

    `problem` is the question with the sick workers away, which the roster was verified against. `changed_share` is of
    the slots that the disruption left alone: how many have another worker or start, from 0 to 1. `violations` is empty
    unless the published roster broke a rule already: then those that are left.
    """

    problem: Problem
    roster: Roster
    changed: tuple[ChangedVisit, ...]
    changed_share: float
    unfilled: tuple[Unfilled, ...]
    violations: tuple[Violation, ...]
    objective: int
    iterations: int
    curve: tuple[tuple[int, int], ...]


class ReplanError(ValueError):
    """What was asked makes no sense: an unknown worker, or a published roster that is no roster. Says what to give."""


class ReplanFaultError(AssertionError):
    """The re-plan added a violation: a bug here, never the caller's fault."""

    def __init__(self, found: Iterable[Violation]) -> None:
        self.violations = tuple(found)
        super().__init__("; ".join(f"{wrong.rule}: {wrong.sentence}" for wrong in self.violations[:5]))


def replan(
    *,
    problem: Problem,
    published: Roster,
    sick: frozenset[str] = frozenset(),
    stop: StopRule,
    seed: int,
    frozen_before: int | None = None,
    worsened_minutes_max: int = WORSENED_MINUTES_MAX,
    report: Callable[[Progress], None] | None = None,
) -> Replanned:
    """The published roster mended: every visit of the sick that another worker can take is filled, little else changes.

    Filling (by insertion, then by handing on one or two visits that stand in the way) is done first, then improved
    until `stop`. Visits of the problem that are not in the roster are filled like lost ones; stops of visits that the
    problem no longer has are dropped. Visits that start before `frozen_before` stay as they are, those of the sick
    included. A visit that the disruption left alone starts at most `worsened_minutes_max` from its published start.
    Repeatable for a seed when `stop` counts iterations. Raises ReplanError, ReplanFaultError.
    """
    _check(problem, published, sick, worsened_minutes_max)
    today, runs = _after_disruption(problem, published, sick, frozen_before)
    stood = _times(published.runs)
    facts = _published(today, stood, runs, sick, frozen_before)
    keep = _keep(facts, worsened_minutes_max * 60)
    standing = Standing.of(rules=Rules.of(problem=today), runs=runs, keep=keep)
    absent = {demand.id for demand in today.demands if standing.missing(demand=demand)}
    repair = Repair(
        standing=standing, published=facts, tastes=replan_tastes(problem=today, published=facts), absent=absent
    )
    iterations = _search(repair, stop, random.Random(seed), report)
    return _replanned(repair, stood, sick, iterations, known=_known(today, runs))


def _search(repair: Repair, stop: StopRule, rng: random.Random, report: Callable[[Progress], None] | None) -> int:
    def stopped() -> bool:
        return stop(Progress(iterations=0, objective=repair.objective(), unfilled=len(repair.absent), improved_at=0))

    repair.fill(repair.published.owed)
    make_room(repair=repair, stopped=stopped)
    keep_promises(repair=repair)
    make_room(repair=repair, stopped=stopped, among=drop_halves(repair=repair))
    repair.fill()
    iterations = improve(repair=repair, stop=stop, rng=rng, report=report)
    repair.fill()
    return iterations


def replan_tastes(*, problem: Problem, published: Published) -> Tastes:
    """Prices of a re-plan: travel, workers who are not preferred, other workers than published, and other starts.

    A changed worker costs `weights.changed`; a changed start a third of that, and a point a second.
    """
    weights, slots = problem.weights, published.slots

    def start(demand: Demand, at: int) -> int:
        off = 0 if demand.preferred_start is None else weights.off_preferred * abs(at - demand.preferred_start)
        was = slots.get((demand.id, 0))
        return off if was is None else off + abs(at - was[1]) // 2

    def worker(demand: Demand, who: str) -> int:
        points = weights.not_preferred if demand.preferred_workers and who not in demand.preferred_workers else 0
        points += weights.incompatible if who in demand.incompatible_workers else 0
        known = published.workers(demand.id)
        return points + (weights.changed if known and who not in known else 0)

    def off(demand: Demand, slot: int, at: int) -> int:
        was = slots.get((demand.id, slot))
        if was is None or demand.id in published.lost:
            return start(demand, at) if slot == 0 else 0
        return 0 if was[1] == at else weights.changed // 3 + abs(at - was[1])

    def move(demand: Demand, slot: int, was: int, becomes: int) -> int:
        return off(demand, slot, becomes) - off(demand, slot, was)

    return Tastes(travel=weights.travel, start=start, worker=worker, move=move)


def _check(problem: Problem, published: Roster, sick: frozenset[str], worsened_minutes_max: int) -> None:
    unknown = sorted(sick - {worker.id for worker in problem.workers})
    if unknown:
        raise ReplanError(f"sick: there is no worker {unknown[0]!r}; name workers of the problem")
    if worsened_minutes_max < 0:
        raise ReplanError(f"worsened_minutes_max: {worsened_minutes_max}; give 0 or more minutes")
    beyond = _beyond(problem)
    if beyond:
        raise ReplanError(f"problem: {beyond} cannot be kept by a re-plan; solve the day again instead")
    seen: set[Slot] = set()
    for run in published.runs:
        for stop in run.stops:
            if (stop.visit, stop.slot) in seen:
                raise ReplanError(f"published: slot {stop.slot} of visit {stop.visit} is in two runs; publish it once")
            seen.add((stop.visit, stop.slot))


def _beyond(problem: Problem) -> str | None:
    """What of the problem a line of visits cannot express; None when it can express it all."""
    if any(demand.due_windows for demand in problem.demands):
        return "due windows"
    if any(worker.meal is not None and worker.meal.missed_penalty is None for worker in problem.workers):
        return "hard meals"
    if any(worker.capacity is not None for worker in problem.workers) and any(d.load for d in problem.demands):
        return "loads and capacities"
    return None


def _times(runs: Iterable[Run]) -> dict[Slot, tuple[str, int]]:
    return {(stop.visit, stop.slot): (run.worker, stop.start) for run in runs for stop in run.stops}


def _after_disruption(
    problem: Problem, published: Roster, sick: frozenset[str], frozen_before: int | None
) -> tuple[Problem, tuple[Run, ...]]:
    """The problem with the sick away, and what is left of the runs."""
    demands, workers = problem.demand_by_id(), problem.worker_by_id()
    kept: list[Run] = []
    out_from: dict[str, int] = {}
    for run in published.runs:
        if run.worker not in workers:
            continue
        stops = [
            (demands[stop.visit], stop.slot, stop.start)
            for stop in run.stops
            if stop.visit in demands
            and stop.slot < len(demands[stop.visit].slots)
            and (run.worker not in sick or (frozen_before is not None and stop.start < frozen_before))
        ]
        if len(stops) == len(run.stops):
            kept.append(run)
        elif stops:
            kept.append(timed_run(problem=problem, worker=workers[run.worker], stops=stops))
        if stops and run.worker in sick:
            out_from[run.worker] = max(out_from.get(run.worker, -TIME_MAX), kept[-1].back)
    away = tuple(_away(w, out_from.get(w.id, frozen_before)) if w.id in sick else w for w in problem.workers)
    return replace(problem, workers=away), tuple(kept)


def _away(worker: Worker, since: int | None) -> Worker:
    return replace(worker, leave=(*worker.leave, Shift(-TIME_MAX if since is None else since, TIME_MAX)))


def _published(
    problem: Problem,
    stood: dict[Slot, tuple[str, int]],
    runs: tuple[Run, ...],
    sick: frozenset[str],
    frozen_before: int | None,
) -> Published:
    left = _times(runs)
    lost = {d.id for d in problem.demands if any((d.id, k) not in left for k in range(len(d.slots)))}
    firm = {d.id for d in problem.demands if (d.is_pinned or d.must_keep) and d.id not in lost}
    if frozen_before is not None:
        firm |= {visit for (visit, _), (_, start) in left.items() if start < frozen_before}
    slots = {slot: (who, start) for slot, (who, start) in stood.items() if slot in left or who in sick}
    return Published(
        slots=slots,
        lost=frozenset(lost),
        owed=frozenset(visit for visit in lost if any((visit, k) in slots for k in (0, 1))),
        firm=frozenset(firm),
        not_before=frozen_before,
        changes_max=int(CHANGED_SHARE_MAX * len(slots)),
    )


def _keep(published: Published, seconds_max: int) -> Keep:
    before = published.not_before

    def keep(demand: Demand, start: int | None) -> Span:
        if before is not None and start is not None and start < before:
            return start, start
        was = published.slots.get((demand.id, 0))
        lo, hi = (-TIME_MAX, TIME_MAX)
        if demand.id not in published.lost and was is not None:
            lo, hi = was[1] - seconds_max, was[1] + seconds_max
        return lo if before is None else max(lo, before), hi

    return keep


def _known(problem: Problem, runs: tuple[Run, ...]) -> set[tuple[str, str | None, str | None]]:
    return {(v.rule, v.visit, v.worker) for v in violations(problem=problem, roster=_padded(problem, runs))}


def _padded(problem: Problem, runs: tuple[Run, ...]) -> Roster:
    placed = _times(runs)
    return Roster(
        runs=runs,
        unfilled=tuple(
            Unfilled(visit=demand.id, slot=slot, reason="not in the roster")
            for demand in problem.demands
            for slot in range(len(demand.slots))
            if (demand.id, slot) not in placed
        ),
    )


def _replanned(
    repair: Repair,
    stood: dict[Slot, tuple[str, int]],
    sick: frozenset[str],
    iterations: int,
    known: set[tuple[str, str | None, str | None]],
) -> Replanned:
    standing, problem = repair.standing, repair.standing.rules.problem
    missing = [(d, k) for d in problem.demands for k in standing.missing(demand=d)]
    unfilled = unfilled_of(standing=standing, missing=missing, leave_out=sick)
    roster = Roster(runs=standing.runs(), unfilled=unfilled)
    found = violations(problem=problem, roster=roster)
    fresh = [v for v in found if (v.rule, v.visit, v.worker) not in known or v.rule == complete.NAME]
    if fresh:
        raise ReplanFaultError(fresh)
    changed = _changed(problem, stood, roster, repair.published)
    alone = [slot for slot in repair.published.slots if slot[0] not in repair.published.lost]
    moved = sum(not each.is_lost for each in changed)
    return Replanned(
        problem=problem,
        roster=roster,
        changed=changed,
        changed_share=moved / len(alone) if alone else 0.0,
        unfilled=unfilled,
        violations=found,
        objective=repair.objective(),
        iterations=iterations,
        curve=tuple(repair.curve),
    )


def _changed(
    problem: Problem, stood: dict[Slot, tuple[str, int]], roster: Roster, published: Published
) -> tuple[ChangedVisit, ...]:
    now = roster.starts()
    slots = [(demand.id, slot) for demand in problem.demands for slot in range(len(demand.slots))]
    return tuple(
        ChangedVisit(
            visit=slot[0],
            slot=slot[1],
            was=stood.get(slot),
            becomes=now.get(slot),
            is_lost=slot[0] in published.lost,
        )
        for slot in slots
        if stood.get(slot) != now.get(slot)
    )
