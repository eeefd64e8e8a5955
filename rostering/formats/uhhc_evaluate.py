"""An evaluator of UHHC solutions written from the definition alone: it shares no code with the search, reader or writer.

The rules are those of Ceschia and others (2026) and of the readme of their public validator.
"""

from __future__ import annotations

import gzip
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

LUNCH = "lunch_break"
STARTS_WITH_SHIFT = ("bazirha", "bazirha-caie")


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What a solution costs (`components` unweighed), and every hard rule it breaks (none: it is feasible)."""

    objective: int
    components: dict[str, int]
    faults: tuple[str, ...]


@dataclass(slots=True)
class _Tally:
    """Totals while the routes are walked."""

    faults: list[str] = field(default_factory=list)
    done: dict[tuple[str, str], list[tuple[str, int, int]]] = field(default_factory=dict)
    ate: set[str] = field(default_factory=set)
    travel: dict[str, int] = field(default_factory=dict)
    care: dict[str, int] = field(default_factory=dict)
    idle: dict[str, int] = field(default_factory=dict)
    late: list[int] = field(default_factory=list)
    waits: list[int] = field(default_factory=list)
    extra: int = 0


def evaluate(*, instance: Path, solution: Path) -> Evaluation:
    """The published objective of a published solution file. Raises OSError, ValueError or KeyError for broken files."""
    given, answer = _load(instance), _load(solution)
    tally = _Tally()
    patients = {patient["id"]: patient for patient in given["patients"]}
    for carer in given["caregivers"]:
        shift, name = carer["working_shift"], carer["id"]
        tally.travel[name] = tally.care[name] = 0
        tally.idle[name] = shift["end"] - shift["start"]
    carers = {carer["id"]: carer for carer in given["caregivers"]}
    for route in answer["routes"]:
        if route.get("locations"):
            _walk(given, patients, carers[route["caregiver_id"]], route["locations"], tally)
    missing = _served(given, patients, tally)
    return _weighed(given, patients, tally, missing)


def _load(path: Path) -> Any:
    raw = path.read_bytes()
    return json.loads(gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw)


def _times(stop: dict[str, Any]) -> tuple[int, int]:
    start = stop.get("arrival_time", stop.get("start_time"))
    end = stop.get("departure_time", stop.get("end_time"))
    if start is None or end is None:
        raise ValueError(f"the stop {stop} has no times")
    return int(start), int(end)


def _walk(given: Any, patients: dict[str, Any], carer: Any, locations: list[Any], tally: _Tally) -> None:
    """One caregiver's day: travel, waits, extra time and idle time, and what is wrong with it."""
    name, shift, distances = carer["id"], carer["working_shift"], given["distances"]
    ends = {point["id"]: point["distance_matrix_index"] for point in given["terminal_points"]}
    stops = sorted((_times(stop), i, stop) for i, stop in enumerate(locations))
    here, free = ends[carer["departing_point"]], None
    if given["metadata"].get("origin") in STARTS_WITH_SHIFT:
        free = shift["start"]
    idle = 0
    for number, ((start, end), _, stop) in enumerate(stops):
        there = patients[stop["patient"]]["distance_matrix_index"]
        leg = distances[here][there]
        if free is None:
            free = start - leg
            idle += free - shift["start"]
            if free < shift["start"]:
                tally.faults.append(f"{name} leaves at {free}, before the shift")
        wait = start - free - leg
        if wait < 0:
            tally.faults.append(f"{name} cannot be at {stop['patient']} by {start}")
        idle += wait
        if not (number == 1 and stops[0][2]["service"] == LUNCH):
            tally.waits.append(wait)
        tally.travel[name] += leg
        _note(given, patients[stop["patient"]], carer, stop, (start, end), tally)
        here, free = there, end
    back = (free or 0) + distances[here][ends[carer["arrival_point"]]]
    tally.travel[name] += back - (free or 0)
    tally.extra += max(0, back - shift["end"])
    tally.idle[name] = idle + max(0, shift["end"] - back)


def _note(given: Any, patient: Any, carer: Any, stop: Any, times: tuple[int, int], tally: _Tally) -> None:
    """One stop: a lunch, or a service with its lateness."""
    start, end = times
    service, name = stop["service"], carer["id"]
    at_end = given["metadata"]["time_window_met"] == "at_service_end"
    if service == LUNCH:
        lunch = given["lunch_breaks"]
        judged = end if at_end else start
        if start < lunch["start"] or judged > lunch["end"] or end - start < lunch["min_duration"]:
            tally.faults.append(f"{name} eats from {start} to {end}")
        tally.ate.add(name)
        return
    wanted = [each for each in patient["required_services"] if each["service"] == service]
    if not wanted:
        tally.faults.append(f"{patient['id']} does not want {service}")
        return
    long = wanted[0].get("duration")
    if long is None:
        long = next(each["default_duration"] for each in given["services"] if each["id"] == service)
    if end - start < long:
        tally.faults.append(f"{service} of {patient['id']} lasts {end - start}, not {long}")
    if service not in carer["abilities"]:
        tally.faults.append(f"{name} cannot do {service}")
    tally.care[name] += end - start
    opened = [window for window in patient["time_windows"] if window["start"] <= start]
    if opened:
        due = max(opened, key=lambda window: window["start"])["end"]
        tally.late.append(max(0, (end if at_end else start) - due))
    else:
        tally.faults.append(f"{patient['id']} is begun at {start}, before its first window")
    tally.done.setdefault((patient["id"], service), []).append((name, start, end))


def _served(given: Any, patients: dict[str, Any], tally: _Tally) -> int:
    """How many patients are not visited; those that had to be, or are half served or ill paired, are faults."""
    costs, missing = given["metadata"]["cost_components"], 0
    all_must = costs.get("optional_patients") in (None, "HARD")
    for name, patient in patients.items():
        services = [wanted["service"] for wanted in patient["required_services"]]
        times = [len(tally.done.get((name, service), [])) for service in services]
        if not any(times):
            missing += 1
            if all_must or not patient.get("optional"):
                tally.faults.append(f"{name} is not visited")
        elif times != [1] * len(services):
            tally.faults.append(f"{name} gets {services} {times} times")
        elif len(services) == 2:
            _paired(patient, [tally.done[name, service][0] for service in services], tally)
    return missing


def _paired(patient: Any, done: list[tuple[str, int, int]], tally: _Tally) -> None:
    how = patient["synchronization"]
    if how["type"] == "independent":
        return
    least, most = 0, 0
    if how["type"] == "sequential":
        least, most = how["distance"]["min"], how["distance"]["max"]
    (first, start, _), (second, later, _) = done
    if first == second:
        tally.faults.append(f"{patient['id']} has one caregiver twice")
    if not least <= later - start <= most:
        tally.faults.append(f"the services of {patient['id']} start {later - start} apart")


def _weighed(given: Any, patients: dict[str, Any], tally: _Tally, missing: int) -> Evaluation:
    costs = given["metadata"]["cost_components"]
    work = [tally.travel[name] + tally.care[name] for name in tally.travel]
    people, total = len(work), sum(work)
    who = [(patients[name], carer) for (name, _), done in tally.done.items() for carer, _, _ in done]
    disliked = sum(p.get("preferred_caregivers") is not None and c not in p["preferred_caregivers"] for p, c in who)
    unkind = sum(c in (p.get("incompatible_caregivers") or ()) for p, c in who)
    components = {
        "travel_time": sum(tally.travel.values()),
        "total_tardiness": sum(tally.late),
        "highest_tardiness": max(tally.late, default=0),
        "total_waiting_time": sum(tally.waits),
        "max_waiting_time": max(tally.waits, default=0),
        "total_extra_time": tally.extra,
        "max_idle_time": max(tally.idle.values(), default=0),
        "workload_balance": sum(-(-abs(each * people - total) // people) for each in work),
        "working_time": sum(work),
        "caregiver_preferences": disliked,
        "incompabilities": unkind,
        "optional_patients": missing,
        "missed_lunch_break": sum(bool(c.get("lunch_break")) and c["id"] not in tally.ate for c in given["caregivers"]),
    }
    hard_when_missing = ("caregiver_preferences", "incompabilities", "missed_lunch_break")
    for name, value in components.items():
        if value and (costs.get(name) == "HARD" or (costs.get(name) is None and name in hard_when_missing)):
            tally.faults.append(f"{name} is {value} and must be 0")
    weights = {name: 0 if costs.get(name) in (None, "HARD") else costs[name] for name in components}
    objective = sum(weights[name] * value for name, value in components.items())
    return Evaluation(objective=objective, components=components, faults=tuple(tally.faults))
