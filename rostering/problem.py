"""What a roster must solve: demands, workers, travel and weights; it checks shapes, never whether an answer exists.

Times are whole seconds from an origin that the caller chooses (local midnight of the first day, so that days of a
week are 86,400 seconds apart). A format may use a finer tick (Mankowska files use thousandths of a minute): every
duration, travel time and window of one problem is then in that tick.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from rostering.weights import Weights

SECONDS_PER_DAY = 86_400
DAILY_REST_SECONDS = 11 * 3_600
WEEKLY_REST_SECONDS = 24 * 3_600
TIME_MAX = 10**12


class ProblemError(ValueError):
    """A problem that is malformed (not: infeasible). The message names the field and says what to put there."""

    def __init__(self, *, where: str, wrong: str, remedy: str) -> None:
        super().__init__(f"{where}: {wrong}; {remedy}")
        self.where = where
        self.remedy = remedy


@dataclass(frozen=True, slots=True)
class Window:
    """Legal starts of a visit, both ends included."""

    earliest: int
    latest: int


@dataclass(frozen=True, slots=True)
class Shift:
    """A time a worker may be used (or is on leave): they leave home at `start` or later and are home by `end`."""

    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Break:
    """A run longer than `after_seconds`, home to home, has one idle stretch of at least `seconds` between visits."""

    seconds: int = 1_800
    after_seconds: int = 6 * 3_600


@dataclass(frozen=True, slots=True, kw_only=True)
class Meal:
    """A meal of at least `least_seconds` inside [earliest, latest] (start and end), at the place of one of the stops.

    `missed_penalty` is what a worker without it costs, in points; None makes the meal hard for whoever has stops.
    """

    earliest: int
    latest: int
    least_seconds: int
    missed_penalty: int | None = None


@dataclass(frozen=True, slots=True)
class Slot:
    """What one worker does at a visit: for how long, with which skills."""

    service_seconds: int
    skills: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Sync:
    """Second slot's start minus the first's lies in [min_seconds, max_seconds]; 0 and 0 is simultaneous.

    `independent` slots may start in any order, whenever each can, and one worker may do both, one after the other.
    """

    min_seconds: int = 0
    max_seconds: int = 0
    independent: bool = False


SIMULTANEOUS = Sync()
INDEPENDENT = Sync(independent=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """One planned visit that wants a worker per slot.

    `place` indexes the travel matrix. `windows` are hard; `due` is a soft latest start (lateness is weighed).
    `pinned_workers` gives the worker of each slot, in order; a pinned worker or start never changes. `must_keep` marks
    an accepted pop-back: no ordinary visit may push it out. `gap_seconds` is the least time between the end of one and
    the start of another visit of the same customer; the larger of the two visits' gaps counts.
    `published_workers` are those of the published roster, slot by slot (changing them is weighed).

    `due_windows`, when given, stand for `due`: no slot starts before the first opens, and a slot is late by what it
    starts (ends, if `due_at_end`) after the end of the last of them that opens at or before its start; `late_seconds_max`
    makes lateness beyond it illegal. `load` counts against a worker's capacity, once a slot. `incompatible_workers`
    may come, at a cost (`Weights.incompatible`).
    """

    id: str
    customer: str
    place: int
    slots: tuple[Slot, ...]
    windows: tuple[Window, ...]
    preferred_start: int | None = None
    due: int | None = None
    sync: Sync = SIMULTANEOUS
    gender: str | None = None
    language: str | None = None
    excluded_workers: frozenset[str] = frozenset()
    preferred_workers: frozenset[str] = frozenset()
    pinned_workers: tuple[str, ...] = ()
    pinned_start: int | None = None
    published_workers: tuple[str, ...] = ()
    must_keep: bool = False
    gap_seconds: int = 0
    unfilled_penalty: int | None = None
    load: int = 0
    incompatible_workers: frozenset[str] = frozenset()
    due_windows: tuple[Window, ...] = ()
    due_at_end: bool = False
    late_seconds_max: int | None = None

    @property
    def is_pinned(self) -> bool:
        """Whether a person fixed this visit's worker or start."""
        return bool(self.pinned_workers) or self.pinned_start is not None

    def lateness(self, *, slot: int, start: int) -> int:
        """Seconds by which a slot that starts then is late: against the due windows, else against `due`; 0 without."""
        ends = start + self.slots[slot].service_seconds if self.due_at_end else start
        due = self.due
        for window in self.due_windows:
            if window.earliest <= start or window is self.due_windows[0]:
                due = window.latest
        return 0 if due is None else max(0, ends - due)


@dataclass(frozen=True, slots=True, kw_only=True)
class Worker:
    """A care worker as the roster sees them. `home` None: journeys from and to home are not rostered.

    `hours_limit_seconds` bounds working time over the whole horizon: care, travel and waits shorter than
    `own_time_seconds` (a longer wait is the worker's own time). `last_back` is when they came home before this
    horizon (negative), for daily rest. `finish` is the place where the day ends (None: at home). `capacity` bounds the
    loads of one run. `overtime_seconds_max`: a run may come back so long after its shift, at a cost
    (`Weights.overtime`). They leave just in time for the first stop, or, with `leaves_at_shift_start`, then.
    """

    id: str
    shifts: tuple[Shift, ...]
    home: int | None = None
    skills: frozenset[str] = frozenset()
    gender: str | None = None
    languages: frozenset[str] = frozenset()
    leave: tuple[Shift, ...] = ()
    hours_limit_seconds: int | None = None
    own_time_seconds: int = 1_800
    break_rule: Break | None = None
    daily_rest_seconds: int = DAILY_REST_SECONDS
    weekly_rest_seconds: int = WEEKLY_REST_SECONDS
    last_back: int | None = None
    mode: str = "car"
    excluded_customers: frozenset[str] = frozenset()
    finish: int | None = None
    capacity: int | None = None
    overtime_seconds_max: int = 0
    leaves_at_shift_start: bool = False
    meal: Meal | None = None

    @property
    def last_place(self) -> int | None:
        """Where the worker's day ends: `finish`, or their home."""
        return self.home if self.finish is None else self.finish


@dataclass(frozen=True, slots=True)
class Travel:
    """Travel seconds by mode: one square matrix a mode, rows from, columns to, asymmetric allowed."""

    seconds_by_mode: Mapping[str, np.ndarray[Any, np.dtype[np.int64]]]

    def __post_init__(self) -> None:
        checked = {mode: _square(mode, matrix) for mode, matrix in self.seconds_by_mode.items()}
        sizes = {len(matrix) for matrix in checked.values()}
        if not checked or len(sizes) > 1:
            raise ProblemError(
                where="travel", wrong=f"sizes {sorted(sizes)}", remedy="give one matrix a mode, all of one size"
            )
        object.__setattr__(self, "seconds_by_mode", checked)

    @property
    def places(self) -> int:
        """How many places the matrices cover."""
        return len(next(iter(self.seconds_by_mode.values())))

    def between(self, mode: str, a: int, b: int) -> int:
        """Seconds from place `a` to place `b` by `mode`."""
        return int(self.seconds_by_mode[mode][a, b])


@dataclass(frozen=True, slots=True)
class Problem:
    """A whole question: who is to be visited, by whom, how far apart everything is, and what is dear.

    Zero demands and zero workers are legal. Raises ProblemError for anything malformed.
    """

    demands: tuple[Demand, ...]
    workers: tuple[Worker, ...]
    travel: Travel
    horizon: Shift
    weights: Weights = field(default_factory=Weights)

    def __post_init__(self) -> None:
        object.__setattr__(self, "demands", tuple(self.demands))
        object.__setattr__(self, "workers", tuple(self.workers))
        _check_unique("demands", (demand.id for demand in self.demands))
        _check_unique("workers", (worker.id for worker in self.workers))
        _check_span("horizon", self.horizon.start, self.horizon.end)
        for name in Weights.__slots__:
            _check_whole(f"weights.{name}", getattr(self.weights, name), least=0)
        for worker in self.workers:
            _check_worker(worker, self.travel)
        known = {worker.id for worker in self.workers}
        for demand in self.demands:
            _check_demand(demand, self.travel, known)

    def demand_by_id(self) -> dict[str, Demand]:
        """Demands by their id."""
        return {demand.id: demand for demand in self.demands}

    def worker_by_id(self) -> dict[str, Worker]:
        """Workers by their id."""
        return {worker.id: worker for worker in self.workers}


def _square(mode: str, matrix: Any) -> np.ndarray[Any, np.dtype[np.int64]]:
    where = f"travel[{mode}]"
    try:
        raw = np.asarray(matrix)
    except ValueError as error:
        raise ProblemError(where=where, wrong="ragged rows", remedy="make every row as long as the matrix") from error
    if raw.ndim != 2 or raw.shape[0] != raw.shape[1]:
        raise ProblemError(where=where, wrong=f"shape {raw.shape}", remedy="give a square matrix")
    if raw.dtype.kind not in "iuf":
        raise ProblemError(where=where, wrong=f"values of type {raw.dtype}", remedy="give whole seconds")
    if not np.isfinite(raw).all():
        raise ProblemError(where=where, wrong="NaN or infinite", remedy="give a time for every pair of places")
    if (raw < 0).any() or (raw > TIME_MAX).any() or (raw != np.floor(raw)).any():
        raise ProblemError(where=where, wrong="negative, huge or broken times", remedy="round up to whole seconds")
    return raw.astype(np.int64)


def _check_unique(where: str, ids: Iterable[str]) -> None:
    seen: set[str] = set()
    for position, an_id in enumerate(ids):
        if not isinstance(an_id, str) or not an_id:
            raise ProblemError(where=f"{where}[{position}].id", wrong=f"{an_id!r}", remedy="give a text id")
        if an_id in seen:
            raise ProblemError(where=f"{where}[{position}].id", wrong=f"{an_id!r} twice", remedy="make ids unique")
        seen.add(an_id)


def _check_whole(where: str, value: object, *, least: int = -TIME_MAX) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, np.integer)):
        raise ProblemError(where=where, wrong=f"{value!r}", remedy="give a whole number")
    if not least <= value <= TIME_MAX:
        raise ProblemError(where=where, wrong=f"{value}", remedy=f"give a number from {least} to {TIME_MAX}")


def _check_span(where: str, start: object, end: object) -> None:
    _check_whole(f"{where}.start", start)
    _check_whole(f"{where}.end", end)
    if end < start:  # type: ignore[operator]
        raise ProblemError(where=where, wrong=f"ends at {end}, before {start}", remedy="put the end at or after start")


def _check_place(where: str, place: object, travel: Travel) -> None:
    _check_whole(where, place, least=0)
    if place >= travel.places:  # type: ignore[operator]
        raise ProblemError(where=where, wrong=f"{place}", remedy=f"index one of the {travel.places} places of travel")


def _check_worker(worker: Worker, travel: Travel) -> None:
    where = f"workers[{worker.id}]"
    if worker.home is not None:
        _check_place(f"{where}.home", worker.home, travel)
    if worker.mode not in travel.seconds_by_mode:
        raise ProblemError(where=f"{where}.mode", wrong=repr(worker.mode), remedy="give travel a matrix of this mode")
    for name in ("shifts", "leave"):
        for number, shift in enumerate(getattr(worker, name)):
            _check_span(f"{where}.{name}[{number}]", shift.start, shift.end)
    for name in ("own_time_seconds", "daily_rest_seconds", "weekly_rest_seconds"):
        _check_whole(f"{where}.{name}", getattr(worker, name), least=0)
    if worker.hours_limit_seconds is not None:
        _check_whole(f"{where}.hours_limit_seconds", worker.hours_limit_seconds, least=0)
    if worker.last_back is not None:
        _check_whole(f"{where}.last_back", worker.last_back)
    if worker.break_rule is not None:
        _check_whole(f"{where}.break_rule.seconds", worker.break_rule.seconds, least=0)
        _check_whole(f"{where}.break_rule.after_seconds", worker.break_rule.after_seconds, least=0)
    _check_day(where, worker, travel)


def _check_day(where: str, worker: Worker, travel: Travel) -> None:
    _check_whole(f"{where}.overtime_seconds_max", worker.overtime_seconds_max, least=0)
    if worker.capacity is not None:
        _check_whole(f"{where}.capacity", worker.capacity, least=0)
    if worker.finish is not None:
        _check_place(f"{where}.finish", worker.finish, travel)
        if worker.home is None:
            raise ProblemError(where=f"{where}.home", wrong="none, but a finish", remedy="give the place of start, too")
    if worker.meal is not None:
        _check_meal(f"{where}.meal", worker.meal)


def _check_meal(where: str, meal: Meal) -> None:
    _check_span(where, meal.earliest, meal.latest)
    _check_whole(f"{where}.least_seconds", meal.least_seconds, least=0)
    if meal.missed_penalty is not None:
        _check_whole(f"{where}.missed_penalty", meal.missed_penalty, least=0)
    if meal.latest - meal.earliest < meal.least_seconds:
        raise ProblemError(
            where=where, wrong="shorter than least_seconds", remedy="give a window that the meal fits in"
        )


def _check_demand(demand: Demand, travel: Travel, known: set[str]) -> None:
    where = f"demands[{demand.id}]"
    _check_place(f"{where}.place", demand.place, travel)
    if not 1 <= len(demand.slots) <= 2:
        raise ProblemError(where=f"{where}.slots", wrong=f"{len(demand.slots)} slots", remedy="give one or two")
    for number, slot in enumerate(demand.slots):
        _check_whole(f"{where}.slots[{number}].service_seconds", slot.service_seconds, least=0)
    if not demand.windows:
        raise ProblemError(where=f"{where}.windows", wrong="none", remedy="give at least one window of legal starts")
    for number, window in enumerate(demand.windows):
        _check_span(f"{where}.windows[{number}]", window.earliest, window.latest)
    _check_span(f"{where}.sync", demand.sync.min_seconds, demand.sync.max_seconds)
    _check_whole(f"{where}.sync.min_seconds", demand.sync.min_seconds, least=0)
    _check_whole(f"{where}.gap_seconds", demand.gap_seconds, least=0)
    _check_whole(f"{where}.load", demand.load, least=0)
    for number, window in enumerate(demand.due_windows):
        _check_span(f"{where}.due_windows[{number}]", window.earliest, window.latest)
        if number and window.earliest < demand.due_windows[number - 1].earliest:
            raise ProblemError(
                where=f"{where}.due_windows[{number}]", wrong="opens before the last", remedy="put them in order"
            )
    if demand.late_seconds_max is not None:
        _check_whole(f"{where}.late_seconds_max", demand.late_seconds_max, least=0)
    checks: tuple[tuple[str, object, Callable[..., None]], ...] = (
        ("preferred_start", demand.preferred_start, _check_whole),
        ("due", demand.due, _check_whole),
        ("pinned_start", demand.pinned_start, _check_whole),
        ("unfilled_penalty", demand.unfilled_penalty, _check_whole),
    )
    for name, value, check in checks:
        if value is not None:
            check(f"{where}.{name}", value)
    _check_pins(where, demand, known)


def _check_pins(where: str, demand: Demand, known: set[str]) -> None:
    pins = demand.pinned_workers
    if pins and len(pins) != len(demand.slots):
        raise ProblemError(
            where=f"{where}.pinned_workers", wrong=f"{len(pins)} workers", remedy="pin one worker a slot"
        )
    if len(set(pins)) != len(pins):
        raise ProblemError(where=f"{where}.pinned_workers", wrong="one worker twice", remedy="pin different workers")
    for pin in pins:
        if pin not in known:
            raise ProblemError(where=f"{where}.pinned_workers", wrong=f"{pin!r}", remedy="name a worker of the problem")
    if demand.unfilled_penalty is not None and demand.unfilled_penalty < 0:
        raise ProblemError(where=f"{where}.unfilled_penalty", wrong="negative", remedy="give 0 or more")
