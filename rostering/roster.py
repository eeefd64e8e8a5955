"""The answer: runs of stops and what stayed unfilled; values only, no search and no checks (see verify)."""

from __future__ import annotations

from dataclasses import dataclass

from rostering.problem import Demand, Problem, Worker


@dataclass(frozen=True, slots=True, kw_only=True)
class Stop:
    """One worker at one visit: they travel `travel_seconds` from the stop before, arrive, wait, start, and end."""

    visit: str
    slot: int
    start: int
    end: int
    arrive: int
    travel_seconds: int

    @property
    def waiting_seconds(self) -> int:
        """Seconds between arriving and starting."""
        return self.start - self.arrive


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One worker's ordered visits between leaving and coming back (a split day is two runs)."""

    worker: str
    leave: int
    back: int
    stops: tuple[Stop, ...]
    travel_seconds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Nearest:
    """A worker who came near to an unfilled visit, the rule that blocked them, and the sentence that says how."""

    worker: str
    rule: str
    sentence: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Unfilled:
    """A slot that nobody has, why, and who was nearest."""

    visit: str
    slot: int
    reason: str
    nearest: tuple[Nearest, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Roster:
    """All runs of a problem's horizon, and every slot that is in none of them."""

    runs: tuple[Run, ...]
    unfilled: tuple[Unfilled, ...] = ()

    def starts(self) -> dict[tuple[str, int], tuple[str, int]]:
        """(visit, slot) -> (worker, start)."""
        return {(stop.visit, stop.slot): (run.worker, stop.start) for run in self.runs for stop in run.stops}


def timed_run(*, problem: Problem, worker: Worker, stops: list[tuple[Demand, int, int]]) -> Run:
    """A run from (demand, slot, start) in order of start: fills in travel, arrivals, leaving and coming back.

    It does not check anything: a start earlier than the arrival gives a negative wait, which verify reports.
    """
    made: list[Stop] = []
    place, free, travelled = worker.home, None, 0
    for demand, slot, start in stops:
        leg = 0 if place is None else problem.travel.between(worker.mode, place, demand.place)
        arrive = start if free is None else free + leg
        end = start + demand.slots[slot].service_seconds
        made.append(Stop(visit=demand.id, slot=slot, start=start, end=end, arrive=arrive, travel_seconds=leg))
        place, free, travelled = demand.place, end, travelled + leg
    last = 0
    if stops and worker.home is not None and place is not None:
        last = problem.travel.between(worker.mode, place, worker.home)
    leave = made[0].start - made[0].travel_seconds if made else 0
    back = made[-1].end + last if made else 0
    return Run(worker=worker.id, leave=leave, back=back, stops=tuple(made), travel_seconds=travelled + last)
