"""VROOM's JSON: its input read as a Problem, its solution written; what a Problem cannot say is refused by name.

Format: VROOM's API page (docs/API.md of its repository), version 1.14. Jobs become visits of one worker, vehicles workers
of one shift. Without `matrices`, travel is as the crow flies with the product's speeds. The other direction, a Problem as
VROOM input, is rostering.formats.vroom_input.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rostering.formats.error import FormatError
from rostering.formats.json_fields import json_object, listed, number, only, whole
from rostering.formats.signs import Signs
from rostering.problem import Demand, Problem, ProblemError, Shift, Slot, Travel, Window, Worker
from rostering.roster import Roster, Run
from rostering.travel_matrix import MODES, Place, build
from rostering.weights import Weights

NAME = "vroom"
SUFFIX = ".json"
ANY_TIME = 7 * 86_400
JOBS_MAX = 20_000
ID_MAX = 2**53
UNFILLED_POINTS = 1_000_000
TOP = ("jobs", "vehicles", "matrices", "shipments")
JOB = (
    "id", "description", "location", "location_index", "setup", "service", "delivery", "pickup", "skills", "priority",
    "time_windows",
)  # fmt: skip
VEHICLE = (
    "id", "description", "profile", "start", "start_index", "end", "end_index", "capacity", "skills", "time_window",
    "breaks", "speed_factor", "costs", "max_tasks", "max_travel_time", "max_distance", "steps",
)  # fmt: skip
PROFILE_MODES = {"car": "car", "bike": "bicycle", "bicycle": "bicycle", "foot": "walk", "walk": "walk", "bus": "bus"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """A read file: its problem (ids are VROOM's, as text) and each place's number in the file's matrices, if it has any."""

    name: str
    problem: Problem
    has_matrices: bool


def claims(*, signs: Signs) -> bool:
    """Whether a file means to be of this format."""
    return bool(signs.keys & {"vehicles", "jobs"})


def read(*, path: Path) -> Instance:
    """The input in a JSON file, plain or gzip. Raises FormatError naming the field; OSError if there is no file."""
    top = only(holder=json_object(path=path), known=TOP, where="file")
    if listed(holder=top, key="shipments", where="file", optional=True):
        raise FormatError(where="file.shipments", wrong="visits here have no pick-up elsewhere; give jobs only")
    jobs = [
        only(holder=job, known=JOB, where=f"jobs[{i}]") for i, job in enumerate(_at_most(top, "jobs", optional=True))
    ]
    vehicles = [
        only(holder=each, known=VEHICLE, where=f"vehicles[{i}]") for i, each in enumerate(_at_most(top, "vehicles"))
    ]
    places = _Places(travel=_matrices(top))
    demands = tuple(_demand(job, f"jobs[{i}]", places) for i, job in enumerate(jobs))
    workers = tuple(_worker(vehicle, f"vehicles[{i}]", places) for i, vehicle in enumerate(vehicles))
    try:
        problem = Problem(
            demands=demands,
            workers=workers,
            travel=places.travel_of_all({worker.mode for worker in workers}),
            horizon=Shift(0, max([ANY_TIME, *(worker.shifts[0].end for worker in workers)])),
            weights=Weights(travel=1, unfilled=UNFILLED_POINTS),
        )
    except ProblemError as error:
        raise FormatError(where=error.where, wrong=str(error)) from error
    name = path.name.removesuffix(".gz").removesuffix(".json")
    return Instance(name=name, problem=problem, has_matrices=places.travel is not None)


def write(*, path: Path, instance: Instance, roster: Roster) -> None:
    """The roster as a VROOM solution."""
    path.write_text(json.dumps(solution(problem=instance.problem, roster=roster), indent=1) + "\n", encoding="utf-8")


def parts(*, problem: Problem, roster: Roster) -> dict[str, float]:
    """VROOM's cost, the travel time of all routes, and what it counts beside."""
    travel = sum(run.travel_seconds for run in roster.runs)
    routes = sum(bool(run.stops) for run in roster.runs)
    waiting = sum(step["waiting_time"] for run in roster.runs for step in _steps(problem, run))
    return {"objective": travel, "travel": travel, "waiting": waiting, "routes": routes}


def published_bound(*, lower_bound: int) -> float:
    """A lower bound in seconds of travel."""
    return lower_bound


def solution(*, problem: Problem, roster: Roster) -> dict[str, Any]:
    """The roster in the shape of VROOM's answer: code 0, summary, unassigned jobs, routes with their steps."""
    routes = [_route(problem, run) for run in roster.runs if run.stops]
    places = {demand.id: demand.place for demand in problem.demands}
    unassigned = [
        {"id": _number(missing.visit), "type": "job", "location_index": places[missing.visit]}
        for missing in roster.unfilled
    ]
    names = ("cost", "service", "duration", "waiting_time")
    summary = {name: sum(route[name] for route in routes) for name in names}
    return {
        "code": 0,
        "summary": {**summary, "routes": len(routes), "unassigned": len(unassigned), "setup": 0, "violations": []},
        "unassigned": unassigned,
        "routes": routes,
    }


def _route(problem: Problem, run: Run) -> dict[str, Any]:
    steps = _steps(problem, run)
    return {
        "vehicle": _number(run.worker),
        "cost": run.travel_seconds,
        "service": sum(step["service"] for step in steps),
        "duration": run.travel_seconds,
        "waiting_time": sum(step["waiting_time"] for step in steps),
        "setup": 0,
        "steps": steps,
        "violations": [],
    }


def _steps(problem: Problem, run: Run) -> list[dict[str, Any]]:
    worker = problem.worker_by_id()[run.worker]
    places = {demand.id: demand.place for demand in problem.demands}
    travelled, steps = 0, []
    still = {"service": 0, "waiting_time": 0, "setup": 0}
    if worker.home is not None:
        steps.append({"type": "start", "location_index": worker.home, "arrival": run.leave, "duration": 0, **still})
    for stop in run.stops:
        travelled += stop.travel_seconds
        facts = {"type": "job", "id": _number(stop.visit), "location_index": places[stop.visit]}
        times = {"arrival": stop.arrive, "duration": travelled, "service": stop.end - stop.start}
        steps.append({**facts, **times, "waiting_time": stop.waiting_seconds, "setup": 0})
    if worker.last_place is not None:
        last = {"type": "end", "location_index": worker.last_place, "arrival": run.back}
        steps.append({**last, "duration": run.travel_seconds, **still})
    return steps


def _number(an_id: str) -> int | str:
    return int(an_id) if an_id.isdecimal() else an_id


def _at_most(top: dict[str, Any], key: str, *, optional: bool = False) -> list[Any]:
    found = listed(holder=top, key=key, where="file", optional=optional)
    if len(found) > JOBS_MAX:
        raise FormatError(where=f"file.{key}", wrong=f"{len(found)} of them; up to {JOBS_MAX} are read")
    return found


def _matrices(top: dict[str, Any]) -> Mapping[str, list[list[int]]] | None:
    """Durations by profile, in seconds; costs and distances may not say anything else."""
    if "matrices" not in top:
        return None
    if not isinstance(top["matrices"], dict) or not top["matrices"]:
        raise FormatError(where="file.matrices", wrong="not an object of one matrix a profile")
    found: dict[str, list[list[int]]] = {}
    for profile, holder in top["matrices"].items():
        where = f"file.matrices.{profile}"
        only(holder=holder, known=("durations", "distances", "costs"), where=where)
        if "costs" in holder and holder["costs"] != holder.get("durations"):
            raise FormatError(where=f"{where}.costs", wrong="costs apart from durations cannot be said")
        found[profile] = _square(listed(holder=holder, key="durations", where=where), f"{where}.durations")
    if len({len(matrix) for matrix in found.values()}) > 1:
        raise FormatError(where="file.matrices", wrong="matrices of several sizes; give all profiles the same places")
    return found


def _square(rows: list[Any], where: str) -> list[list[int]]:
    for a, row in enumerate(rows):
        if not isinstance(row, list) or len(row) != len(rows):
            raise FormatError(where=f"{where}[{a}]", wrong=f"not a row of {len(rows)}")
    return [
        [whole(value=value, where=f"{where}[{a}][{b}]") for b, value in enumerate(row)] for a, row in enumerate(rows)
    ]


@dataclass(slots=True, kw_only=True)
class _Places:
    """Places as they are named: by number in the matrices, or by [longitude, latitude] in the order of their coming."""

    travel: Mapping[str, list[list[int]]] | None
    known: dict[tuple[float, float], int] | None = None

    def of(self, *, holder: dict[str, Any], prefix: str, index: str, where: str) -> int | None:
        """The place a job or vehicle names, None when it names none."""
        if self.travel is not None:
            if index not in holder:
                if prefix in holder:
                    raise FormatError(where=f"{where}.{index}", wrong="missing, though the file has matrices")
                return None
            size = len(next(iter(self.travel.values())))
            return whole(value=holder[index], where=f"{where}.{index}", most=size - 1)
        if prefix not in holder:
            return None
        value = holder[prefix]
        if not isinstance(value, list) or len(value) != 2:
            raise FormatError(where=f"{where}.{prefix}", wrong=f"{value!r} is not [longitude, latitude]")
        longitude = number(value=value[0], where=f"{where}.{prefix}[0]", least=-180, most=180)
        latitude = number(value=value[1], where=f"{where}.{prefix}[1]", least=-90, most=90)
        self.known = {} if self.known is None else self.known
        return self.known.setdefault((latitude, longitude), len(self.known))

    def mode(self, *, vehicle: dict[str, Any], where: str) -> str:
        """The mode of a vehicle: its profile, which must have a matrix, or be one the product knows speeds of."""
        profile = vehicle.get("profile", "car")
        if not isinstance(profile, str):
            raise FormatError(where=f"{where}.profile", wrong=f"{profile!r} is not a text")
        if self.travel is not None and profile in self.travel:
            return profile
        if self.travel is None and profile in PROFILE_MODES:
            return PROFILE_MODES[profile]
        known = ", ".join(PROFILE_MODES if self.travel is None else self.travel)
        raise FormatError(where=f"{where}.profile", wrong=f"{profile!r} is none of {known}")

    def travel_of_all(self, modes: set[str]) -> Travel:
        """Travel between all places; an empty problem has one place."""
        if self.travel is not None:
            return Travel({name: np.array(rows, np.int64).reshape(len(rows), -1) for name, rows in self.travel.items()})
        if not self.known:
            return Travel({mode: np.zeros((1, 1), np.int64) for mode in modes or {"car"}})
        spots = [Place(latitude, longitude) for latitude, longitude in self.known]
        return build(places=spots, modes={mode: MODES[mode] for mode in modes or {"car"}})


def _id(holder: dict[str, Any], where: str) -> str:
    if "id" not in holder:
        raise FormatError(where=f"{where}.id", wrong="missing")
    return str(whole(value=holder["id"], where=f"{where}.id", most=ID_MAX))


def _skills(holder: dict[str, Any], where: str) -> frozenset[str]:
    found = listed(holder=holder, key="skills", where=where, optional=True)
    return frozenset(str(whole(value=skill, where=f"{where}.skills[{i}]")) for i, skill in enumerate(found))


def _amount(holder: dict[str, Any], key: str, where: str) -> int | None:
    found = listed(holder=holder, key=key, where=where, optional=True)
    if len(found) > 1:
        raise FormatError(where=f"{where}.{key}", wrong=f"{len(found)} kinds of load; one can be said")
    return whole(value=found[0], where=f"{where}.{key}[0]") if found else None


def _window(value: object, where: str) -> tuple[int, int]:
    if not isinstance(value, list) or len(value) != 2:
        raise FormatError(where=where, wrong=f"{value!r} is not [earliest, latest]")
    earliest, latest = (whole(value=edge, where=f"{where}[{i}]") for i, edge in enumerate(value))
    if latest < earliest:
        raise FormatError(where=where, wrong="ends before it begins")
    return earliest, latest


def _refuse_said(holder: dict[str, Any], where: str, silent: Mapping[str, tuple[object, ...]]) -> None:
    for key, nothing in silent.items():
        if key in holder and holder[key] not in nothing:
            raise FormatError(where=f"{where}.{key}", wrong="cannot be said here; leave it out")


def _demand(job: dict[str, Any], where: str, places: _Places) -> Demand:
    _refuse_said(job, where, {"setup": (0,), "pickup": ([], [0])})
    place = places.of(holder=job, prefix="location", index="location_index", where=where)
    if place is None:
        raise FormatError(where=f"{where}.location", wrong="missing; give location, or location_index with matrices")
    windows = listed(holder=job, key="time_windows", where=where, optional=True) or [[0, ANY_TIME]]
    priority = whole(value=job.get("priority", 0), where=f"{where}.priority", most=100)
    return Demand(
        id=_id(job, where),
        customer=_id(job, where),
        place=place,
        slots=(Slot(whole(value=job.get("service", 0), where=f"{where}.service"), _skills(job, where)),),
        windows=tuple(Window(*_window(each, f"{where}.time_windows[{i}]")) for i, each in enumerate(windows)),
        load=_amount(job, "delivery", where) or 0,
        unfilled_penalty=UNFILLED_POINTS * (1 + priority),
    )


def _worker(vehicle: dict[str, Any], where: str, places: _Places) -> Worker:
    silent: dict[str, tuple[object, ...]] = {"speed_factor": (1,), "costs": ({},), "steps": ([],), "breaks": ([],)}
    silent |= dict.fromkeys(("max_tasks", "max_travel_time", "max_distance"), ())
    _refuse_said(vehicle, where, silent)
    start = places.of(holder=vehicle, prefix="start", index="start_index", where=where)
    end = places.of(holder=vehicle, prefix="end", index="end_index", where=where)
    if start is None or end is None:
        raise FormatError(where=f"{where}.{'start' if start is None else 'end'}", wrong="missing; give start and end")
    opens, closes = _window(vehicle.get("time_window", [0, ANY_TIME]), f"{where}.time_window")
    return Worker(
        id=_id(vehicle, where),
        shifts=(Shift(opens, closes),),
        home=start,
        finish=None if end == start else end,
        skills=_skills(vehicle, where),
        capacity=_amount(vehicle, "capacity", where),
        mode=places.mode(vehicle=vehicle, where=where),
        daily_rest_seconds=0,
        weekly_rest_seconds=0,
    )
