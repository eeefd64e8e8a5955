"""Why a roster is as it is: its score by rule, and for each unfilled visit the nearest workers and what blocked each."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from rostering.constraints import CONSTRAINTS
from rostering.days import days
from rostering.problem import Problem
from rostering.roster import Nearest, Roster, Unfilled
from rostering.search.compiled import Compiled
from rostering.search.insertion import Gap, gaps, pick_start
from rostering.search.runs import RunState
from rostering.search.state import SearchState

NEAREST_MAX = 3
Blocked = tuple[int, int, str, str]
"""(how near: smaller is nearer, travel seconds, rule, sentence) of one worker."""


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
        **days(problem=problem, roster=roster),
    )


def unfilled(*, state: SearchState) -> tuple[Unfilled, ...]:
    """Every absent slot of a search state with its reason and the nearest workers."""
    return tuple(
        _explained(state, d, k) for d in sorted(state.absent) for k in range(len(state.compiled.demands[d].slots))
    )


def _explained(state: SearchState, d: int, k: int) -> Unfilled:
    compiled = state.compiled
    demand = compiled.demands[d]
    blocks = [(*_block(state, d, k, w), worker.id) for w, worker in enumerate(compiled.workers)]
    blocks.sort()
    nearest = tuple(Nearest(worker=who, rule=rule, sentence=text) for _, _, rule, text, who in blocks[:NEAREST_MAX])
    return Unfilled(visit=demand.id, slot=k, reason=_reason(compiled, d, blocks), nearest=nearest)


def _reason(compiled: Compiled, d: int, blocks: list[tuple[int, int, str, str, str]]) -> str:
    if not blocks:
        return "there are no workers"
    if not compiled.windows[d]:
        return "its windows and its pinned start contradict each other: no start is legal"
    closest = blocks[0][0]
    counts = Counter(rule for _, _, rule, _, _ in blocks)
    said = ", ".join(f"{rule} blocks {count}" for rule, count in sorted(counts.items(), key=lambda c: (-c[1], c[0])))
    if closest >= 3:
        return f"impossible: no worker could do it even with an empty day ({said})"
    if closest == 2:
        return f"every worker who could do it is taken ({said})"
    return f"someone could do one part of it but not together with the rest ({said})"


def _block(state: SearchState, d: int, k: int, w: int) -> Blocked:
    """How worker w is kept from the slot: 4 by who they are, 3 even alone, 2 by their run, 1 by a rule of the whole."""
    compiled = state.compiled
    demand, worker = compiled.demands[d], compiled.workers[w]
    home = 0 if worker.home is None else compiled.problem.travel.between(worker.mode, worker.home, demand.place)
    for rule, encoding in zip(CONSTRAINTS, compiled.encodings, strict=True):
        if encoding.pair is not None and not encoding.pair(demand, k, worker):
            return 4, home, rule.name, f"{worker.id} is ruled out by {rule.name}"
    alone = SearchState.empty(compiled=compiled)
    if not any(gap.r in compiled.duties_of[w] for gap in _slot_gaps(alone, d, k)):
        return 3, home, "availability", f"{worker.id} cannot get there, serve and be home within their shifts"
    mine = [gap for gap in _slot_gaps(state, d, k) if gap.r in compiled.duties_of[w]]
    if not mine:
        return (
            2,
            home,
            "travel_feasible",
            f"{worker.id} has no gap of {_need(state, d, k)} s and the journeys in their run",
        )
    rule_name = _rule_of_gaps(state, d, k, mine)
    return 1, home, rule_name, f"{worker.id} has a gap, but {rule_name} forbids it"


def _slot_gaps(state: SearchState, d: int, k: int) -> list[Gap]:
    sync = state.compiled.demands[d].sync
    after, until = (sync.min_seconds, sync.max_seconds) if k else (0, 0)
    return [
        gap
        for lo, hi in state.compiled.windows[d]
        for gap in gaps(state=state, d=d, k=k, window=(lo + after, hi + until))
    ]


def _need(state: SearchState, d: int, k: int) -> int:
    return state.compiled.demands[d].slots[k].service_seconds


def _rule_of_gaps(state: SearchState, d: int, k: int, mine: list[Gap]) -> str:
    compiled = state.compiled
    blocked = compiled.blocked(d, state.spans)
    if all(pick_start(first=gap.first, last=gap.last, wanted=None, blocked=blocked) is None for gap in mine):
        return "visit_gap"
    for gap in mine:
        run = state.with_stop(r=gap.r, at=gap.at, d=d, k=k, lo=gap.first, hi=gap.first)
        if run is not None:
            return "double_up_together" if state.days_allow(changed={gap.r: run}) else _days_rule(state, gap.r, run)
    return "breaks"


def _days_rule(state: SearchState, r: int, run: RunState) -> str:
    compiled = state.compiled
    w = compiled.duties[r].worker
    runs = [(run if other == r else state.runs[other]) for other in compiled.duties_of[w]]
    times = [each.times for each in runs if each.items]
    for rule, encoding in zip(CONSTRAINTS, compiled.encodings, strict=True):
        if encoding.days is not None and not encoding.days(compiled.workers[w], times):
            return rule.name
    return "hours_limit"
