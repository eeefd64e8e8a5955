"""A two-worker visit has two different workers, or none, whose starts are together (or the agreed time apart).

Slots that are independent may be one worker's and start whenever each can; still both are filled, or none."""

from __future__ import annotations

from rostering.constraint import Constraint, Encoding, Violation
from rostering.problem import Demand, Problem
from rostering.roster import Roster

NAME = "double_up_together"


def encode(_problem: Problem) -> Encoding:
    """Once placed, a double-up's starts stay put, because two runs depend on them."""

    def anchored(demand: Demand) -> bool:
        return len(demand.slots) == 2

    return Encoding(anchored=anchored)


def violations(problem: Problem, roster: Roster) -> tuple[Violation, ...]:
    """Double-ups with half a pair, with one worker twice, or with starts too far apart."""
    starts = roster.starts()
    wrong: list[Violation] = []
    for demand in problem.demands:
        placed = [starts[demand.id, slot] for slot in (0, 1) if (demand.id, slot) in starts]
        if len(demand.slots) != 2 or not placed:
            continue
        if len(placed) == 1:
            wrong.append(Violation(rule=NAME, visit=demand.id, sentence=f"visit {demand.id} has one worker of two"))
            continue
        if demand.sync.independent:
            continue
        (first, start), (second, second_start) = placed
        if first == second:
            wrong.append(Violation(rule=NAME, visit=demand.id, sentence=f"visit {demand.id} has {first} twice"))
        if not demand.sync.min_seconds <= second_start - start <= demand.sync.max_seconds:
            sentence = f"the workers of visit {demand.id} start {second_start - start} s apart"
            wrong.append(Violation(rule=NAME, visit=demand.id, sentence=sentence))
    return tuple(wrong)


CONSTRAINT = Constraint(name=NAME, encode=encode, violations=violations)
