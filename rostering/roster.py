"""The answer: runs of stops and what stayed unfilled; values only, no search and no checks (see verify)."""

from __future__ import annotations

from dataclasses import dataclass, replace

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
class MealTaken:
    """A worker's meal at the place of a visit of theirs, before or after it; they came there at `arrive`."""

    visit: str
    start: int
    end: int
    arrive: int

    @property
    def waiting_seconds(self) -> int:
        """Seconds between arriving and eating."""
        return self.start - self.arrive


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One worker's ordered visits between leaving and coming back (a split day is two runs), and their meal if any."""

    worker: str
    leave: int
    back: int
    stops: tuple[Stop, ...]
    travel_seconds: int
    meal: MealTaken | None = None

    @property
    def waits(self) -> tuple[int, ...]:
        """Seconds of each wait; the one at the first stop of a run that begins with its meal is no wait but rest."""
        eaten = self.meal
        rests = eaten is not None and (not self.stops or eaten.end <= self.stops[0].start)
        stops = self.stops[1:] if rests else self.stops
        return (*(stop.waiting_seconds for stop in stops), *(() if eaten is None else (eaten.waiting_seconds,)))

    @property
    def away_idle_seconds(self) -> int:
        """Seconds between leaving and coming back that are neither travel, care nor the meal."""
        busy = self.travel_seconds + sum(stop.end - stop.start for stop in self.stops)
        return self.back - self.leave - busy - (0 if self.meal is None else self.meal.end - self.meal.start)


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


def timed_run(
    *, problem: Problem, worker: Worker, stops: list[tuple[Demand, int, int]], meal: MealTaken | None = None
) -> Run:
    """A run from (demand, slot, start) in order of start: fills in travel, arrivals, leaving and coming back.

    A meal is put before the first stop that starts after it (its `arrive` is filled in). Nothing is checked: a start
    earlier than the arrival gives a negative wait, which verify reports.
    """
    eats_before = next((i for i, stop in enumerate(stops) if meal and meal.end <= stop[2]), len(stops))
    leaves_at = worker.shifts[0].start if worker.leaves_at_shift_start and worker.shifts else None
    made: list[Stop] = []
    eaten: MealTaken | None = None
    place, free, travelled, left = worker.home, leaves_at, 0, leaves_at

    def go(there: int, start: int) -> tuple[int, int]:
        nonlocal place, travelled, left
        leg = 0 if place is None else problem.travel.between(worker.mode, place, there)
        left = start - leg if left is None else left
        place, travelled = there, travelled + leg
        return leg, start if free is None else free + leg

    for i, (demand, slot, start) in enumerate(stops):
        leg = 0
        if meal is not None and i == eats_before:
            leg, arrive = go(_meal_place(meal, stops, demand.place), meal.start)
            eaten, free = replace(meal, arrive=arrive), meal.end
        further, arrive = go(demand.place, start)
        free = start + demand.slots[slot].service_seconds
        made.append(
            Stop(visit=demand.id, slot=slot, start=start, end=free, arrive=arrive, travel_seconds=leg + further)
        )
    if meal is not None and eaten is None and stops and free is not None:
        _, arrive = go(_meal_place(meal, stops, stops[-1][0].place), meal.start)
        eaten, free = replace(meal, arrive=arrive), meal.end
    last = 0
    if stops and place is not None and worker.last_place is not None:
        last = problem.travel.between(worker.mode, place, worker.last_place)
    back = (free or 0) + last if made else 0
    return Run(
        worker=worker.id,
        leave=left or 0 if made else 0,
        back=back,
        stops=tuple(made),
        travel_seconds=travelled + last,
        meal=eaten,
    )


def _meal_place(meal: MealTaken, stops: list[tuple[Demand, int, int]], otherwise: int) -> int:
    return next((demand.place for demand, _, _ in stops if demand.id == meal.visit), otherwise)
