"""Why a roster is as it is: its score by rule and by visit, and why what is unfilled is. It judges nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from rostering.blocks import unfilled_of
from rostering.days import days
from rostering.problem import Demand, Problem, Worker
from rostering.roster import Roster, Run, Unfilled
from rostering.standing import Standing
from rostering.standing_rules import Rules
from rostering.week_share import strangers


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """Points of each soft wish, already weighed; `total` is the objective that solve minimises."""

    travel: int = 0
    waiting: int = 0
    off_preferred: int = 0
    lateness: int = 0
    lateness_worst: int = 0
    not_preferred: int = 0
    changed: int = 0
    unfilled: int = 0
    waiting_worst: int = 0
    overtime: int = 0
    idle_worst: int = 0
    missed_meal: int = 0
    incompatible: int = 0
    balance: int = 0
    stranger: int = 0

    @property
    def total(self) -> int:
        """All points together."""
        return sum(getattr(self, name) for name in Score.__slots__)


def score(*, problem: Problem, roster: Roster) -> Score:
    """The roster's points by rule, from the roster alone."""
    weights, demands = problem.weights, problem.demand_by_id()
    off = late = worst = disliked = changed = 0
    for run in roster.runs:
        for stop in run.stops:
            demand = demands[stop.visit]
            off += 0 if demand.preferred_start is None else abs(stop.start - demand.preferred_start)
            lateness = demand.lateness(slot=stop.slot, start=stop.start)
            late, worst = late + lateness, max(worst, lateness)
            disliked += bool(demand.preferred_workers) and run.worker not in demand.preferred_workers
            changed += bool(demand.published_workers) and run.worker not in demand.published_workers
    penalties = [demands[u.visit].unfilled_penalty for u in roster.unfilled]
    return Score(
        travel=weights.travel * sum(run.travel_seconds for run in roster.runs),
        waiting=weights.waiting * sum(sum(run.waits) for run in roster.runs),
        off_preferred=weights.off_preferred * off,
        lateness=weights.lateness * late,
        lateness_worst=weights.lateness_worst * worst,
        not_preferred=weights.not_preferred * disliked,
        changed=weights.changed * changed,
        unfilled=sum(weights.unfilled if penalty is None else penalty for penalty in penalties),
        stranger=weights.stranger * strangers(problem=problem, roster=roster) if weights.stranger else 0,
        **days(problem=problem, roster=roster),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class VisitScore:
    """What one visit costs, already weighed. `detour` is the travel that its run would be spared without it.

    Detours do not add up to a run's travel: two neighbours share the way to both.
    """

    visit: str
    detour: int = 0
    off_preferred: int = 0
    lateness: int = 0
    not_preferred: int = 0
    changed: int = 0
    unfilled: int = 0

    @property
    def total(self) -> int:
        """All points together."""
        return sum(getattr(self, name) for name in VisitScore.__slots__ if name != "visit")


def visit_scores(*, problem: Problem, roster: Roster) -> tuple[VisitScore, ...]:
    """What each visit costs in the roster, the dearest first."""
    weights, workers = problem.weights, problem.worker_by_id()
    points: dict[str, Counter[str]] = {demand.id: Counter() for demand in problem.demands}
    demands = problem.demand_by_id()
    for run in roster.runs:
        for at, stop in enumerate(run.stops):
            demand, mine = demands[stop.visit], points[stop.visit]
            off = 0 if demand.preferred_start is None else abs(stop.start - demand.preferred_start)
            mine["off_preferred"] += weights.off_preferred * off
            mine["lateness"] += weights.lateness * demand.lateness(slot=stop.slot, start=stop.start)
            disliked = bool(demand.preferred_workers) and run.worker not in demand.preferred_workers
            mine["not_preferred"] += weights.not_preferred * disliked
            is_changed = bool(demand.published_workers) and run.worker not in demand.published_workers
            mine["changed"] += weights.changed * is_changed
            mine["detour"] += weights.travel * _detour(problem, demands, workers[run.worker], run, at)
    for each in roster.unfilled:
        penalty = demands[each.visit].unfilled_penalty
        points[each.visit]["unfilled"] += weights.unfilled if penalty is None else penalty
    scores = [VisitScore(visit=visit, **mine) for visit, mine in points.items()]
    return tuple(sorted(scores, key=lambda score: (-score.total, score.visit)))


def _detour(problem: Problem, demands: Mapping[str, Demand], worker: Worker, run: Run, at: int) -> int:
    places = [worker.home, *(demands[stop.visit].place for stop in run.stops), worker.last_place]
    before, here, after = places[at : at + 3]

    def leg(a: int | None, b: int | None) -> int:
        return 0 if a is None or b is None else problem.travel.between(worker.mode, a, b)

    skipped = 0 if len(run.stops) == 1 else leg(before, after)
    return leg(before, here) + leg(here, after) - skipped


def unfilled_in(*, problem: Problem, runs: Sequence[Run]) -> tuple[Unfilled, ...]:
    """Every slot of the problem that is in none of the runs, with its reason and the nearest workers."""
    standing = Standing.of(rules=Rules.of(problem=problem), runs=runs)
    missing = [(demand, slot) for demand in problem.demands for slot in standing.missing(demand=demand)]
    return unfilled_of(standing=standing, missing=missing)
