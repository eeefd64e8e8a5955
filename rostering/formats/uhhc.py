"""UHHC instances (Ceschia and others, "A unified formulation for home healthcare", 2026) and their published solutions.

Times are the file's whole minutes. A weight that is missing costs nothing, except that a missing weight of optional
patients, meals, incompatibilities or preferences, or the word HARD, makes its rule hard. Points are twice
the published objective, so that the penalty of a two-service patient can be halved for its two slots.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rostering.explain import score
from rostering.formats.error import FormatError
from rostering.formats.json_fields import json_object
from rostering.formats.required import get, listed, text
from rostering.formats.signs import Signs
from rostering.formats.uhhc_fields import flag, texts, unique, whole, whole_value
from rostering.problem import (
    INDEPENDENT,
    Demand,
    Meal,
    Problem,
    ProblemError,
    Shift,
    Slot,
    Sync,
    Travel,
    Window,
    Worker,
)
from rostering.roster import Roster, Run
from rostering.weights import Weights

NAME = "uhhc"
HARD = "HARD"
MUST_VISIT = 1_000_000
POINTS = 2
LUNCH = "lunch_break"
LEAVES_AT_START = ("bazirha", "bazirha-caie")
WEIGHTS = {
    "travel_time": "travel",
    "total_tardiness": "lateness",
    "highest_tardiness": "lateness_worst",
    "total_waiting_time": "waiting",
    "max_waiting_time": "waiting_worst",
    "total_extra_time": "overtime",
    "max_idle_time": "idle_worst",
    "caregiver_preferences": "not_preferred",
    "incompabilities": "incompatible",
    "workload_balance": "balance",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """A read file: its problem, and the service of each (visit, slot), which a written solution names."""

    name: str
    problem: Problem
    services: Mapping[tuple[str, int], str]


@dataclass(frozen=True, slots=True)
class _File:
    """What every part of a file is read against."""

    costs: Mapping[str, Any]
    services: Mapping[str, Any]
    carers: frozenset[str]
    at_end: bool
    horizon: Shift
    leaves_at_start: bool

    def is_hard(self, key: str, *, missing: bool) -> bool:
        value = self.costs.get(key)
        return value == HARD or (value is None and missing)

    def weight(self, key: str) -> int:
        value = self.costs.get(key)
        if value is None or value == HARD:
            return 0
        return whole_value(value, f"metadata.cost_components.{key}") * POINTS


def claims(*, signs: Signs) -> bool:
    """Whether a file means to be of this format."""
    return {"patients", "terminal_points"} <= signs.keys


def read(*, path: Path) -> Instance:
    """The instance in a JSON file, plain or gzip. Raises FormatError naming the field; OSError if there is no file."""
    given = json_object(path=path)
    metadata = get(given, "metadata", "file")
    costs = get(metadata, "cost_components", "metadata")
    if not isinstance(costs, dict):
        raise FormatError(where="metadata.cost_components", wrong="not an object")
    carers = listed(given, "caregivers", "file")
    names = unique([text(carer, "id", f"caregivers[{i}]") for i, carer in enumerate(carers)], "caregivers")
    matrix = _matrix(given)
    file = _File(
        costs=costs,
        services={text(s, "id", f"services[{i}]"): s for i, s in enumerate(listed(given, "services", "file"))},
        carers=frozenset(names),
        at_end=_met_at_end(metadata),
        horizon=Shift(0, _horizon(given, matrix)),
        leaves_at_start=metadata.get("origin") in LEAVES_AT_START,
    )
    workers = _workers(given, carers, file)
    demands: list[Demand] = []
    services: dict[tuple[str, int], str] = {}
    for i, patient in enumerate(listed(given, "patients", "file")):
        demand, named = _demand(patient, f"patients[{i}]", file)
        demands.append(demand)
        services.update({(demand.id, k): name for k, name in enumerate(named)})
    weights = {ours: file.weight(theirs) for theirs, ours in WEIGHTS.items()}
    try:
        problem = Problem(
            demands=tuple(demands),
            workers=tuple(workers),
            travel=Travel({"car": matrix}),  # type: ignore[dict-item]
            horizon=file.horizon,
            weights=Weights(unfilled=MUST_VISIT * POINTS, **weights),
        )
    except ProblemError as error:
        raise FormatError(where=error.where, wrong=str(error)) from error
    name = path.name.removesuffix(".gz").removesuffix(".json")
    return Instance(name=name, problem=problem, services=services)


def _met_at_end(metadata: object) -> bool:
    met = text(metadata, "time_window_met", "metadata")
    if met not in ("at_service_start", "at_service_end"):
        raise FormatError(where="metadata.time_window_met", wrong=f"{met!r} is neither at_service_start nor _end")
    return met == "at_service_end"


def _matrix(given: object) -> list[list[int]]:
    rows = listed(given, "distances", "file")
    for i, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != len(rows):
            raise FormatError(where=f"distances[{i}]", wrong="not as long as the matrix")
    return [[whole_value(cell, f"distances[{i}][{j}]") for j, cell in enumerate(row)] for i, row in enumerate(rows)]


def _horizon(given: dict[str, Any], matrix: list[list[int]]) -> int:
    """A time by which everything could be done one after the other: no window of the search ends before it."""
    longest = max((max(row) for row in matrix), default=0)
    patients = len(listed(given, "patients", "file"))
    return (
        10_000 + whole_value(given["metadata"].get("horizon") or 0, "metadata.horizon") + patients * (longest + 1_000)
    )


def _workers(given: dict[str, Any], carers: list[Any], file: _File) -> list[Worker]:
    points = listed(given, "terminal_points", "file")
    terminals = {
        text(point, "id", f"terminal_points[{i}]"): whole(point, "distance_matrix_index", f"terminal_points[{i}]")
        for i, point in enumerate(points)
    }
    meal = _meal(given, file)
    return [_worker(carer, f"caregivers[{i}]", terminals, meal, file) for i, carer in enumerate(carers)]


def _meal(given: dict[str, Any], file: _File) -> Meal | None:
    if given.get("lunch_breaks") is None:
        return None
    lunch, where = given["lunch_breaks"], "lunch_breaks"
    least, ends = whole(lunch, "min_duration", where), whole(lunch, "end", where)
    hard = file.is_hard("missed_lunch_break", missing=True)
    return Meal(
        earliest=whole(lunch, "start", where),
        latest=ends if file.at_end else ends + least,
        least_seconds=least,
        missed_penalty=None if hard else file.weight("missed_lunch_break"),
    )


def _worker(carer: object, where: str, terminals: Mapping[str, int], meal: Meal | None, file: _File) -> Worker:
    shift = get(carer, "working_shift", where)
    ends = [text(carer, key, where) for key in ("departing_point", "arrival_point")]
    for key, end in zip(("departing_point", "arrival_point"), ends, strict=True):
        if end not in terminals:
            raise FormatError(where=f"{where}.{key}", wrong=f"{end!r} is not one of terminal_points")
    hard = file.is_hard("total_extra_time", missing=False) or file.is_hard("working_time", missing=False)
    eats = flag(carer, "lunch_break", where)
    if eats and meal is None:
        raise FormatError(where=f"{where}.lunch_break", wrong="true, but the file has no lunch_breaks")
    return Worker(
        id=text(carer, "id", where),
        shifts=(Shift(whole(shift, "start", f"{where}.working_shift"), whole(shift, "end", f"{where}.working_shift")),),
        home=terminals[ends[0]],
        finish=None if ends[0] == ends[1] else terminals[ends[1]],
        skills=texts(carer, "abilities", where) or frozenset(),
        overtime_seconds_max=0 if hard else file.horizon.end,
        leaves_at_shift_start=file.leaves_at_start,
        meal=meal if eats else None,
        daily_rest_seconds=0,
        weekly_rest_seconds=0,
    )


def _demand(patient: object, where: str, file: _File) -> tuple[Demand, list[str]]:
    slots, named = _slots(patient, where, file)
    windows = tuple(
        _window(w, f"{where}.time_windows[{i}]") for i, w in enumerate(listed(patient, "time_windows", where))
    )
    if not windows:
        raise FormatError(where=f"{where}.time_windows", wrong="none")
    windows = tuple(sorted(windows, key=lambda window: window.earliest))
    hard = file.is_hard("total_tardiness", missing=False) or file.is_hard("highest_tardiness", missing=False)
    optional = flag(patient, "optional", where) and not file.is_hard("optional_patients", missing=True)
    preferred = texts(patient, "preferred_caregivers", where)
    kept_off = (texts(patient, "incompatible_caregivers", where) or frozenset()) & file.carers
    if preferred is not None and file.is_hard("caregiver_preferences", missing=True):
        kept_off |= file.carers - preferred
        preferred = None
    excluded = kept_off if file.is_hard("incompabilities", missing=True) else frozenset()
    demand = Demand(
        id=text(patient, "id", where),
        customer=text(patient, "id", where),
        place=whole(patient, "distance_matrix_index", where),
        slots=slots,
        windows=(Window(windows[0].earliest, file.horizon.end),),
        due_windows=windows,
        due_at_end=file.at_end,
        late_seconds_max=0 if hard else None,
        sync=_sync(patient, where, len(slots)),
        excluded_workers=excluded,
        incompatible_workers=kept_off - excluded,
        preferred_workers=frozenset() if preferred is None else preferred or frozenset({"nobody"}),
        unfilled_penalty=file.weight("optional_patients") // len(slots) if optional else None,
    )
    return demand, named


def _slots(patient: object, where: str, file: _File) -> tuple[tuple[Slot, ...], list[str]]:
    slots, named = [], []
    for k, wanted in enumerate(listed(patient, "required_services", where)):
        at = f"{where}.required_services[{k}]"
        service = text(wanted, "service", at)
        if service not in file.services:
            raise FormatError(where=f"{at}.service", wrong=f"{service!r} is not one of services")
        holder = wanted if wanted.get("duration") is not None else file.services[service]
        key = "duration" if holder is wanted else "default_duration"
        slots.append(Slot(whole(holder, key, at), frozenset({service})))
        named.append(service)
    if not 1 <= len(slots) <= 2:
        raise FormatError(where=f"{where}.required_services", wrong=f"{len(slots)} services, not one or two")
    return tuple(slots), named


def _window(window: object, where: str) -> Window:
    start, end = whole(window, "start", where), whole(window, "end", where)
    if end < start:
        raise FormatError(where=where, wrong="ends before it starts")
    return Window(start, end)


def _sync(patient: object, where: str, slots: int) -> Sync:
    if slots == 1:
        return Sync()
    sync = get(patient, "synchronization", where)
    how = text(sync, "type", f"{where}.synchronization")
    if how == "independent":
        return INDEPENDENT
    if how == "simultaneous":
        return Sync()
    if how != "sequential":
        raise FormatError(where=f"{where}.synchronization.type", wrong=f"{how!r} is not known")
    apart, at = get(sync, "distance", f"{where}.synchronization"), f"{where}.synchronization.distance"
    least, most = whole(apart, "min", at), whole(apart, "max", at)
    if most < least:
        raise FormatError(where=at, wrong="max is less than min")
    return Sync(least, most)


def write(*, path: Path, instance: Instance, roster: Roster) -> None:
    """The roster as the published solution JSON: per caregiver the visits and the lunch, in order of start."""
    runs = {run.worker: run for run in roster.runs}
    routes: list[dict[str, Any]] = []
    for worker in instance.problem.workers:
        run = runs.get(worker.id)
        routes.append({"caregiver_id": worker.id, **({} if run is None else {"locations": _locations(instance, run)})})
    starts = sorted((stop.start, stop.visit) for run in roster.runs for stop in run.stops)
    order = list(dict.fromkeys(visit for _, visit in starts))
    components = {
        key: value for key, value in parts(problem=instance.problem, roster=roster).items() if key != "objective"
    }
    whole_solution = {"cost_components": components, "global_ordering": order, "routes": routes}
    path.write_text(json.dumps(whole_solution, indent=1) + "\n", encoding="utf-8")


def _locations(instance: Instance, run: Run) -> list[dict[str, Any]]:
    stops = [
        (stop.start, stop.end, 1, {"patient": stop.visit, "service": instance.services[stop.visit, stop.slot]})
        for stop in run.stops
    ]
    if run.meal is not None:
        stops.append((run.meal.start, run.meal.end, 0, {"patient": run.meal.visit, "service": LUNCH}))
    stops.sort(key=lambda stop: (stop[0], stop[1], stop[2]))
    return [{"arrival_time": start, "departure_time": end, **what} for start, end, _, what in stops]


def parts(*, problem: Problem, roster: Roster) -> dict[str, float]:
    """The published objective, its weighted parts that are not 0, and how many patients are missing who must not be."""
    found, demands = score(problem=problem, roster=roster), problem.demand_by_id()
    missing = {gone.visit for gone in roster.unfilled if demands[gone.visit].unfilled_penalty is None}
    given = {theirs: _objective(getattr(found, ours)) for theirs, ours in WEIGHTS.items()}
    given |= {"optional_patients": _objective(found.unfilled), "missed_lunch_break": _objective(found.missed_meal)}
    return {
        "objective": _objective(found.total),
        **{key: value for key, value in given.items() if value},
        "patients_missing": len(missing),
    }


def published_bound(*, lower_bound: int) -> float:
    """A lower bound in points, as the published objective."""
    return _objective(lower_bound)


def _objective(points: int) -> float:
    return points / POINTS if points % POINTS else points // POINTS
