"""An accepted pop-back is never left unfilled for the sake of ordinary visits.

If one is unfilled, no worker may be able to do it even with every ordinary visit taken off their run. The check
tries that worker by worker, keeping their pinned visits and other accepted pop-backs where they are.
"""

from __future__ import annotations

from collections.abc import Iterator

from rostering.constraint import Constraint, Encoding, Violation
from rostering.problem import Demand, Problem, Worker
from rostering.roster import Roster, timed_run

NAME = "popback_kept"
DAY_SECONDS_MAX = 36 * 3_600


def encode(_problem: Problem) -> Encoding:
    """Nothing to ask: the search places accepted pop-backs before ordinary visits and never removes them."""
    return Encoding()


def violations(problem: Problem, roster: Roster) -> tuple[Violation, ...]:
    """Accepted pop-backs left unfilled that some worker could do if it were not for ordinary visits.

    A horizon over a day is checked by its days: hours and rest of other days would be guessed here.
    """
    if problem.horizon.end - problem.horizon.start > DAY_SECONDS_MAX:
        return ()
    lost = {unfilled.visit for unfilled in roster.unfilled}
    wrong: list[Violation] = []
    for demand in problem.demands:
        if demand.must_keep and demand.id in lost and len(demand.slots) == 1:
            who = next((w.id for w in problem.workers if _could_do(problem, roster, demand, w)), None)
            if who is not None:
                sentence = f"accepted pop-back {demand.id} is unfilled; {who} could do it but for ordinary visits"
                wrong.append(Violation(rule=NAME, visit=demand.id, worker=who, sentence=sentence))
    return tuple(wrong)


def _could_do(problem: Problem, roster: Roster, demand: Demand, worker: Worker) -> bool:
    kept = {d.id for d in problem.demands if d.must_keep or d.is_pinned}
    demands = problem.demand_by_id()
    others = tuple(run for run in roster.runs if run.worker != worker.id)
    mine = [run for run in roster.runs if run.worker == worker.id]
    if len(mine) > 1:
        return False
    stays = [
        (demands[s.visit], s.slot, s.start)
        for run in mine
        for s in run.stops
        if s.visit in kept and s.visit != demand.id
    ]
    core = tuple(
        timed_run(
            problem=problem,
            worker=problem.worker_by_id()[run.worker],
            stops=[(demands[s.visit], s.slot, s.start) for s in run.stops if s.visit in kept],
        )
        for run in others
        if any(s.visit in kept for s in run.stops)
    )
    for start in _tries(problem, demand, worker, stays):
        stops = sorted([*stays, (demand, 0, start)], key=lambda stop: stop[2])
        run = timed_run(problem=problem, worker=worker, stops=stops)
        if not _breaks_a_rule(problem, Roster(runs=(*core, run)), worker.id, demand.id):
            return True
    return False


def _tries(problem: Problem, demand: Demand, worker: Worker, stays: list[tuple[Demand, int, int]]) -> Iterator[int]:
    for window in demand.windows:
        yield window.earliest
        yield window.latest
        for other, slot, start in stays:
            after = start + other.slots[slot].service_seconds
            after += problem.travel.between(worker.mode, other.place, demand.place)
            if window.earliest < after < window.latest:
                yield after


def _breaks_a_rule(problem: Problem, roster: Roster, worker: str, visit: str) -> bool:
    from rostering.constraints import CONSTRAINTS  # here, because this rule is itself one of them

    for constraint in CONSTRAINTS:
        if constraint.name not in (NAME, "complete"):
            for violation in constraint.violations(problem, roster):
                if violation.worker in (None, worker) or violation.visit == visit:
                    return True
    return False


CONSTRAINT = Constraint(name=NAME, encode=encode, violations=violations)
