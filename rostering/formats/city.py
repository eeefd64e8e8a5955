"""City localities: one day's visits and carers on a plane, hard start windows, in minutes; reading, writing, counting.

Reading gives a Problem in seconds. Travel is as the crow flies, times the file's detour, at its speed, rounded up to
whole minutes. Objective: worker-visits unassigned, then travel minutes (homes to homes).
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rostering.formats.error import FormatError
from rostering.formats.json_fields import json_object
from rostering.formats.required import get
from rostering.formats.signs import Signs
from rostering.problem import Demand, Problem, ProblemError, Shift, Slot, Travel, Window, Worker
from rostering.roster import Roster
from rostering.weights import Weights

NAME = "city"
MINUTE = 60
DAY_MINUTES_MAX = 4 * 1_440
KM_MAX = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """A read file: its name and its problem."""

    name: str
    problem: Problem


def claims(*, signs: Signs) -> bool:
    """Whether a file means to be of this format."""
    return {"visits", "carers"} <= signs.keys


def read(*, path: Path) -> Instance:
    """The instance in a JSON file, plain or gzip. Raises FormatError naming the field; OSError if there is no file."""
    whole = json_object(path=path)
    carers, visits = _rows(whole, "carers"), _rows(whole, "visits")
    kmh = _number(whole, "kmh", "file", least=0.1, most=500)
    detour = _number(whole, "detour", "file", least=1, most=10)
    spots = [(_number(row, "x", at), _number(row, "y", at)) for row, at in (*carers, *visits)]
    try:
        problem = Problem(
            demands=tuple(_demand(row, at, len(carers) + i) for i, (row, at) in enumerate(visits)),
            workers=tuple(_worker(row, at, i) for i, (row, at) in enumerate(carers)),
            travel=Travel({"car": _travel(spots, kmh, detour)}),
            horizon=Shift(0, 86_400),
            weights=Weights(travel=1, not_preferred=0, changed=0),
        )
    except ProblemError as error:
        raise FormatError(where=error.where, wrong=str(error)) from error
    return Instance(name=path.name.removesuffix(".gz").removesuffix(".json"), problem=problem)


def write(*, path: Path, instance: Instance, roster: Roster) -> None:
    """The roster as JSON: per carer the visits with slot, start and end in minutes, and what is unassigned, and why.

    Everything in a file is whole minutes, so a start between two minutes may be the minute before: nothing gets closer.
    """
    routes = [
        {
            "carer": int(run.worker),
            "visits": [
                {
                    "visit": int(stop.visit),
                    "slot": stop.slot,
                    "start": start,
                    "end": start + (stop.end - stop.start) // 60,
                }
                for stop, start in ((stop, stop.start // 60) for stop in run.stops)
            ],
        }
        for run in roster.runs
    ]
    missing = [{"visit": int(each.visit), "slot": each.slot, "reason": each.reason} for each in roster.unfilled]
    body = {"instance": instance.name, "routes": routes, "unassigned": missing}
    path.write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")


def parts(*, problem: Problem, roster: Roster) -> dict[str, float]:
    """The objective's parts: worker-visits nobody has, and travel minutes. `objective` puts the first before the second."""
    travel = sum(run.travel_seconds for run in roster.runs)
    return {
        "objective": problem.weights.unfilled * len(roster.unfilled) + travel,
        "unassigned": len(roster.unfilled),
        "travel_minutes": _minutes(travel),
    }


def published_bound(*, lower_bound: int) -> float:
    """A lower bound in points, as the objective is."""
    return lower_bound


def _minutes(seconds: int) -> float:
    return seconds / MINUTE if seconds % MINUTE else seconds // MINUTE


def _rows(whole: dict[str, Any], key: str) -> list[tuple[dict[str, Any], str]]:
    rows = get(whole, key, "file")
    if not isinstance(rows, list):
        raise FormatError(where=f"file.{key}", wrong="not a list")
    for i, row in enumerate(rows):
        if not isinstance(row, dict):
            raise FormatError(where=f"{key}[{i}]", wrong="not an object")
    return [(row, f"{key}[{i}]") for i, row in enumerate(rows)]


def _number(holder: dict[str, Any], key: str, where: str, *, least: float = -KM_MAX, most: float = KM_MAX) -> float:
    value = get(holder, key, where)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
        raise FormatError(where=f"{where}.{key}", wrong=f"{value!r} is not a finite number")
    if not least <= value <= most:
        raise FormatError(where=f"{where}.{key}", wrong=f"{value!r} is not between {least} and {most}")
    return float(value)


def _whole(value: object, where: str, *, least: int = 0, most: int = DAY_MINUTES_MAX) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise FormatError(where=where, wrong=f"{value!r} is not a whole number")
    if not least <= value <= most:
        raise FormatError(where=where, wrong=f"{value} is not between {least} and {most}")
    return value


def _span(holder: dict[str, Any], key: str, where: str) -> tuple[int, int]:
    value = get(holder, key, where)
    if not isinstance(value, list) or len(value) != 2:
        raise FormatError(where=f"{where}.{key}", wrong=f"{value!r} is not a pair")
    start, end = (_whole(each, f"{where}.{key}[{i}]") for i, each in enumerate(value))
    if end < start:
        raise FormatError(where=f"{where}.{key}", wrong=f"ends at {end}, before {start}")
    return start * MINUTE, end * MINUTE


def _id(holder: dict[str, Any], where: str) -> str:
    return str(_whole(get(holder, "id", where), f"{where}.id", most=10**9))


def _demand(row: dict[str, Any], where: str, place: int) -> Demand:
    skill = _whole(get(row, "skill", where), f"{where}.skill", least=-1, most=10**6)
    service = _whole(get(row, "dur", where), f"{where}.dur") * MINUTE
    slot = Slot(service, frozenset() if skill < 0 else frozenset({str(skill)}))
    return Demand(
        id=_id(row, where),
        customer=str(_whole(get(row, "client", where), f"{where}.client", most=10**9)),
        place=place,
        slots=(slot,) * _whole(get(row, "n", where), f"{where}.n", least=1, most=2),
        windows=(Window(*_span(row, "tw", where)),),
    )


def _worker(row: dict[str, Any], where: str, place: int) -> Worker:
    skills = get(row, "skills", where)
    if not isinstance(skills, list):
        raise FormatError(where=f"{where}.skills", wrong="not a list")
    return Worker(
        id=_id(row, where),
        shifts=(Shift(*_span(row, "shift", where)),),
        home=place,
        skills=frozenset(str(_whole(each, f"{where}.skills[{i}]", most=10**6)) for i, each in enumerate(skills)),
        daily_rest_seconds=0,
        weekly_rest_seconds=0,
    )


def _travel(spots: list[tuple[float, float]], kmh: float, detour: float) -> np.ndarray[Any, np.dtype[np.int64]]:
    at = np.array(spots, dtype=np.float64).reshape(-1, 2)
    km = np.hypot(at[:, None, 0] - at[None, :, 0], at[:, None, 1] - at[None, :, 1])
    minutes: np.ndarray[Any, np.dtype[np.int64]] = np.ceil(detour * km / kmh * 60).astype(np.int64)
    return minutes * MINUTE
