"""HHCRSP instances (Mankowska, Meisel and Bierwirth 2014) in the published JSON, and the published solution JSON.

Reading gives a Problem in thousandths of the file's time unit, because published travel times have three decimals.
Objective, in those thousandths: travel + sum of tardiness + largest tardiness (the published value is a third of it).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rostering.formats.error import FormatError
from rostering.formats.json_fields import json_object
from rostering.formats.required import get, listed, text
from rostering.problem import (
    Demand,
    Problem,
    ProblemError,
    Shift,
    Slot,
    Sync,
    Travel,
    Window,
    Worker,
)
from rostering.roster import Roster
from rostering.weights import Weights

NAME = "mankowska"
TICKS = 1_000
DEPOT = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """A read file: its problem, and the service of each (visit, slot), which a written solution names."""

    name: str
    problem: Problem
    services: Mapping[tuple[str, int], str]


def read(*, path: Path) -> Instance:
    """The instance in a JSON file, plain or gzip. Raises FormatError naming the field; OSError if there is no file."""
    whole = json_object(path=path)
    patients = listed(whole, "patients", "file")
    caregivers = listed(whole, "caregivers", "file")
    defaults = {
        text(service, "id", f"services[{i}]"): service for i, service in enumerate(listed(whole, "services", "file"))
    }
    demands = []
    services: dict[tuple[str, int], str] = {}
    for i, patient in enumerate(patients):
        demand, named = _demand(patient, i, defaults)
        demands.append(demand)
        services.update({(demand.id, k): name for k, name in enumerate(named)})
    matrix = _matrix(whole, len(patients) + 1)
    horizon = Shift(0, _horizon(demands, matrix))
    far = Window(0, horizon.end)
    demands = [_open_ended(demand, far) for demand in demands]
    workers = tuple(_worker(caregiver, i, horizon) for i, caregiver in enumerate(caregivers))
    try:
        problem = Problem(
            demands=tuple(demands),
            workers=workers,
            travel=Travel({"car": matrix}),  # type: ignore[dict-item]
            horizon=horizon,
            weights=Weights(travel=1, lateness=1, lateness_worst=1, unfilled=horizon.end * (len(demands) + 2)),
        )
    except ProblemError as error:
        raise FormatError(where=error.where, wrong=str(error)) from error
    return Instance(name=_stem(path), problem=problem, services=services)


def write(*, path: Path, instance: Instance, roster: Roster) -> None:
    """The roster as the published solution JSON: per caregiver, patient, service, start and departure."""
    order = sorted(roster.starts().items(), key=lambda item: (item[1][1], item[0]))
    routes = []
    for worker in instance.problem.workers:
        stops = [stop for run in roster.runs if run.worker == worker.id for stop in run.stops]
        locations = [
            {
                "patient": stop.visit,
                "service": instance.services[stop.visit, stop.slot],
                "arrival_time": _units(stop.start),
                "departure_time": _units(stop.end),
            }
            for stop in stops
        ]
        routes.append({"caregiver_id": worker.id, "locations": locations})
    ordering = list(dict.fromkeys(visit for (visit, _), _ in order))
    path.write_text(json.dumps({"global_ordering": ordering, "routes": routes}, indent=1) + "\n", encoding="utf-8")


def parts(*, problem: Problem, roster: Roster) -> dict[str, float]:
    """The published objective and its parts in the file's unit."""
    due = {demand.id: demand.due for demand in problem.demands}
    travel = sum(run.travel_seconds for run in roster.runs)
    late = [max(0, stop.start - (due[stop.visit] or 0)) for run in roster.runs for stop in run.stops]
    total, worst = sum(late), max(late, default=0)
    return {
        "objective": round((travel + total + worst) / 3 / TICKS, 6),
        "travel": _units(travel),
        "tardiness": _units(total),
        "tardiness_max": _units(worst),
    }


def published_bound(*, lower_bound: int) -> float:
    """A lower bound in ticks, as the published objective's third."""
    return round(lower_bound / 3 / TICKS, 6)


def _units(ticks: int) -> float:
    return ticks / TICKS if ticks % TICKS else ticks // TICKS


def _stem(path: Path) -> str:
    return path.name.removesuffix(".gz").removesuffix(".json")


def _ticks(value: object, where: str, *, truncate: bool = False) -> int:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise FormatError(where=where, wrong=f"{value!r} is not a finite number")
    if not 0 <= value <= 10**8:
        raise FormatError(where=where, wrong=f"{value!r} is negative or huge")
    return int(value) * TICKS if truncate else round(value * TICKS)


def _pair(value: object, where: str) -> tuple[object, object]:
    if not isinstance(value, list) or len(value) != 2:
        raise FormatError(where=where, wrong=f"{value!r} is not a pair")
    return value[0], value[1]


def _demand(patient: object, i: int, defaults: Mapping[str, Any]) -> tuple[Demand, list[str]]:
    where = f"patients[{i}]"
    name = text(patient, "id", where)
    opens, closes = _pair(get(patient, "time_window", where), f"{where}.time_window")
    earliest = _ticks(opens, f"{where}.time_window[0]", truncate=True)
    due = _ticks(closes, f"{where}.time_window[1]", truncate=True)
    if due < earliest:
        raise FormatError(where=f"{where}.time_window", wrong="ends before it opens")
    slots, named = [], []
    for k, wanted in enumerate(listed(patient, "required_caregivers", where)):
        at = f"{where}.required_caregivers[{k}]"
        service = text(wanted, "service", at)
        if service not in defaults:
            raise FormatError(where=f"{at}.service", wrong=f"{service!r} is not one of services")
        duration = wanted.get("duration", defaults[service].get("default_duration"))
        slots.append(Slot(_ticks(duration, f"{at}.duration"), frozenset({service})))
        named.append(service)
    if not 1 <= len(slots) <= 2:
        raise FormatError(where=f"{where}.required_caregivers", wrong=f"{len(slots)} of them; one or two are known")
    demand = Demand(
        id=name,
        customer=name,
        place=i + 1,
        slots=tuple(slots),
        windows=(Window(earliest, earliest),),
        due=due,
        sync=_sync(patient, where) if len(slots) == 2 else Sync(),
    )
    return demand, named


def _sync(patient: object, where: str) -> Sync:
    found = get(patient, "synchronization", where)
    at = f"{where}.synchronization"
    kind = text(found, "type", at)
    if kind == "simultaneous":
        return Sync()
    if kind != "sequential":
        raise FormatError(where=f"{at}.type", wrong=f"{kind!r} is neither simultaneous nor sequential")
    least, most = _pair(get(found, "distance", at), f"{at}.distance")
    sync = Sync(_ticks(least, f"{at}.distance[0]"), _ticks(most, f"{at}.distance[1]"))
    if sync.max_seconds < sync.min_seconds:
        raise FormatError(where=f"{at}.distance", wrong="its maximum is under its minimum")
    return sync


def _worker(caregiver: object, i: int, horizon: Shift) -> Worker:
    where = f"caregivers[{i}]"
    abilities = listed(caregiver, "abilities", where)
    if not all(isinstance(ability, str) for ability in abilities):
        raise FormatError(where=f"{where}.abilities", wrong="not all are texts")
    return Worker(
        id=text(caregiver, "id", where),
        shifts=(horizon,),
        home=DEPOT,
        skills=frozenset(abilities),
        daily_rest_seconds=0,
        weekly_rest_seconds=0,
    )


def _matrix(whole: object, size: int) -> list[list[int]]:
    rows = listed(whole, "distances", "file")
    if len(rows) != size or not all(isinstance(row, list) and len(row) == size for row in rows):
        raise FormatError(where="file.distances", wrong=f"not {size} rows of {size}, depot first")
    return [[_ticks(value, f"file.distances[{a}][{b}]") for b, value in enumerate(row)] for a, row in enumerate(rows)]


def _horizon(demands: list[Demand], matrix: list[list[int]]) -> int:
    longest = max((max(row) for row in matrix), default=0)
    opens = max((demand.windows[0].earliest for demand in demands), default=0)
    served = sum(
        2 * longest + sum(slot.service_seconds for slot in demand.slots) + demand.sync.max_seconds for demand in demands
    )
    return opens + served + 2 * longest + 1


def _open_ended(demand: Demand, far: Window) -> Demand:
    window = Window(demand.windows[0].earliest, far.latest)
    return Demand(
        id=demand.id,
        customer=demand.customer,
        place=demand.place,
        slots=demand.slots,
        windows=(window,),
        due=demand.due,
        sync=demand.sync,
    )
