"""Why a visit cannot be served, and the least that would have to give: rules as CP-SAT assumptions. It relaxes nothing.

The question is about one visit in a roster as it stands: everybody else keeps their worker. A rule that concerns one
worker (their shifts, their other visits, their hours) is relaxed for that worker alone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from ortools.sat.python import cp_model

from rostering.cp_sat import cp_solver
from rostering.problem import TIME_MAX, Demand, Problem
from rostering.relax_options import Option, Rule, options
from rostering.roster import Roster, Run
from rostering.standing import Standing, apart
from rostering.standing_rules import Rules

PREFERENCE = ("windows", "travel_feasible", "visit_gap", "breaks", "availability", "hours_limit")
"""Of sets as small as each other, the one with rules that come first here; those not here are the dearest."""
ONE_RULE = 1_000
DETERMINISTIC_SECONDS = 20.0

SENTENCES: Mapping[str, str] = {
    "windows": "let it start outside its window",
    "travel_feasible": "hand on other visits of {worker} at that time",
    "visit_gap": "let it come closer to the customer's other visits",
    "breaks": "let {worker} go without the break",
    "availability": "let {worker} work outside their shift",
    "hours_limit": "let {worker} work longer than their limit",
    "daily_rest": "let {worker} rest less between two days",
    "weekly_rest": "let {worker} go without the weekly rest",
    "skills": "send somebody without the skills it asks for",
    "gender_language": "send somebody of another gender or language than it asks for",
    "exclusions": "send somebody who is excluded",
    "pinned": "free what a person pinned",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Relaxed:
    """A rule to relax, for one worker or (None) for the visit, and the sentence for a person."""

    rule: str
    worker: str | None
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Relaxation:
    """What stands in the way of a visit and the least that would have to give.

    `conflict` are rules that together forbid it, none of them to spare. `relax` is a smallest set of rules without
    which `workers` could start it at `start`; both are empty when nothing forbids it. When not even all rules relaxed
    would help (there are no workers, or too few for two slots), `workers` is empty and `reason` says so.
    """

    visit: str
    conflict: tuple[str, ...]
    relax: tuple[Relaxed, ...]
    workers: tuple[str, ...]
    start: int | None
    reason: str


def relax(*, problem: Problem, roster: Roster, visit: str) -> Relaxation:
    """The smallest set of rules to relax so that the visit can be served beside the roster's other visits.

    A visit that has its workers is looked at as if it had none. Raises KeyError for a visit the problem does not have.
    """
    demand = problem.demand_by_id()[visit]
    runs = [_without(run, visit) for run in roster.runs]
    standing = Standing.of(rules=Rules.of(problem=problem), runs=[run for run in runs if run.stops])
    found = [option for k in range(len(demand.slots)) for option in options(standing=standing, demand=demand, slot=k)]
    best = _chosen(demand, found)
    if best is None:
        reason = f"there are not the {len(demand.slots)} workers that it needs, whatever the rules"
        return Relaxation(visit=visit, conflict=(), relax=(), workers=(), start=None, reason=reason)
    rules = sorted({rule for option, _ in best for rule in option.rules}, key=_rank)
    relaxed = tuple(_relaxed(rule) for rule in rules)
    conflict = _conflict(demand, found) if rules else ()
    return Relaxation(
        visit=visit,
        conflict=conflict,
        relax=relaxed,
        workers=tuple(option.worker for option, _ in best),
        start=best[0][1],
        reason=_reason(conflict, relaxed),
    )


def _without(run: Run, visit: str) -> Run:
    return replace(run, stops=tuple(stop for stop in run.stops if stop.visit != visit))


def _relaxed(rule: Rule) -> Relaxed:
    said = SENTENCES.get(rule.name, f"relax {rule.name}")
    return Relaxed(rule=rule.name, worker=rule.worker, sentence=said.format(worker=rule.worker))


def _reason(conflict: Sequence[str], relaxed: Sequence[Relaxed]) -> str:
    if not relaxed:
        return "nothing forbids it"
    return f"{' and '.join(conflict)} together forbid it; to make it possible, " + ", and ".join(
        each.sentence for each in relaxed
    )


def _rank(rule: Rule) -> tuple[int, str, str]:
    place = PREFERENCE.index(rule.name) if rule.name in PREFERENCE else len(PREFERENCE)
    return place, rule.name, rule.worker or ""


class _Model:
    """One option a slot, workers apart, starts that fit together; an option needs its rules' literals."""

    def __init__(self, demand: Demand, found: Sequence[Option], keys: Collection[object], *, by_worker: bool) -> None:
        self.model = cp_model.CpModel()
        self.found = found
        self.off = {key: self.model.new_bool_var(str(key)) for key in keys}
        self.taken = [self.model.new_bool_var("") for _ in found]
        self.starts = [self.model.new_int_var(-TIME_MAX, TIME_MAX, "") for _ in demand.slots]
        for option, taken in zip(found, self.taken, strict=True):
            span = cp_model.Domain(option.first, option.last)
            self.model.add_linear_expression_in_domain(self.starts[option.slot], span).only_enforce_if(taken)
            for rule in option.rules:
                self.model.add_implication(taken, self.off[rule if by_worker else rule.name])
        for slot in range(len(demand.slots)):
            of_slot = zip(found, self.taken, strict=True)
            self.model.add_exactly_one([taken for option, taken in of_slot if option.slot == slot])
        if len(demand.slots) == 2:
            self._two(demand)

    def _two(self, demand: Demand) -> None:
        least, most = apart(demand=demand)
        if demand.sync.independent:
            return
        self.model.add_linear_constraint(self.starts[1] - self.starts[0], least, most)
        for worker in sorted({option.worker for option in self.found}):
            both = [taken for option, taken in zip(self.found, self.taken, strict=True) if option.worker == worker]
            self.model.add_at_most_one(both)

    def solved(self) -> cp_model.CpSolver | None:
        """The solver with an answer, or None when there is none."""
        solver = cp_solver(seed=0, effort_seconds=DETERMINISTIC_SECONDS)
        self.status = solver.solve(self.model)
        self.core = self.status == cp_model.INFEASIBLE and solver.sufficient_assumptions_for_infeasibility()
        return solver if self.status in (cp_model.OPTIMAL, cp_model.FEASIBLE) else None


def _chosen(demand: Demand, found: Sequence[Option]) -> tuple[tuple[Option, int], ...] | None:
    """The options (slot by slot, with starts) that need the fewest rules relaxed; None when none fit together."""
    if any(all(option.slot != slot for option in found) for slot in range(len(demand.slots))):
        return None
    keys = sorted({rule for option in found for rule in option.rules}, key=_rank)
    made = _Model(demand, found, keys, by_worker=True)
    made.model.minimize(sum((ONE_RULE + _rank(rule)[0]) * made.off[rule] for rule in keys))
    solver = made.solved()
    if solver is None:
        return None
    picked = [option for option, taken in zip(found, made.taken, strict=True) if solver.value(taken)]
    picked.sort(key=lambda option: option.slot)
    return tuple((option, solver.value(made.starts[option.slot])) for option in picked)


def _conflict(demand: Demand, found: Sequence[Option]) -> tuple[str, ...]:
    """Names of rules that together forbid the visit, from CP-SAT's assumptions, each tried without until none is to spare."""
    names = sorted({rule.name for option in found for rule in option.rules}, key=lambda name: _rank(Rule(name, None)))
    kept = _core(demand, found, names, names)
    for name in list(kept):
        fewer = [other for other in kept if other != name]
        smaller = _core(demand, found, names, fewer)
        kept = [other for other in kept if other in smaller] if smaller else kept
    return tuple(kept)


def _core(demand: Demand, found: Sequence[Option], names: Sequence[str], kept: Sequence[str]) -> list[str]:
    """Those of the kept rules that suffice to forbid it; empty when they do not."""
    made = _Model(demand, found, names, by_worker=False)
    assumed = {made.off[name].negated().index: name for name in kept}
    made.model.add_assumptions([made.off[name].negated() for name in kept])
    if made.solved() is not None:
        return []
    core = [assumed[index] for index in (made.core or ()) if index in assumed]
    return core or list(kept)
