"""Runs from a list of who is where and when, as a person or another system gives it. It judges nothing: the verifier does."""

from collections.abc import Mapping, Sequence

from rostering.constraints.availability import available_pieces
from rostering.problem import Demand, Problem
from rostering.roster import Run, timed_run

Placed = tuple[Demand, int, int]
"""(demand, slot, start in seconds of the day)."""


def runs_of(*, problem: Problem, placed: Mapping[str, Sequence[Placed]]) -> tuple[Run, ...]:
    """One run for each stretch of each worker's availability that has visits, by worker and time: somebody who works a morning and an
    evening goes home between. Visits outside every stretch go with the last one begun before them."""
    workers = problem.worker_by_id()
    found: list[Run] = []
    for worker_id in sorted(placed):
        worker = workers[worker_id]
        begins = [start for start, _ in available_pieces(worker=worker)]
        by_piece: dict[int, list[Placed]] = {}
        for stop in sorted(placed[worker_id], key=lambda stop: (stop[2], stop[0].id, stop[1])):
            by_piece.setdefault(sum(begin <= stop[2] for begin in begins[1:]), []).append(stop)
        found += [timed_run(problem=problem, worker=worker, stops=stops) for _, stops in sorted(by_piece.items())]
    return tuple(found)
