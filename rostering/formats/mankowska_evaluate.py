"""Recomputes an HHCRSP objective from a written solution file and its instance file alone.

It shares no code with the solver, the verifier or the reader: exact decimals from the text of the two files.
"""

from __future__ import annotations

import gzip
import json
from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

SLACK = Decimal("0.001")
"""Published starts are rounded to three decimals: a start may be this much too early."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What the files say, in the instance's unit; `faults` is empty when the solution is feasible."""

    objective: Decimal
    travel: Decimal
    tardiness: Decimal
    tardiness_max: Decimal
    faults: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Service:
    caregiver: str
    patient: str
    service: str
    start: Decimal


def evaluate(*, instance: Path, solution: Path) -> Evaluation:
    """Travel with the way home, tardiness of every start, the largest, and their sum's third; and every fault found.

    Definition: Mankowska, Meisel and Bierwirth 2014. Raises KeyError or ValueError for files of another shape.
    """
    given, answer = _load(instance), _load(solution)
    row = {patient["id"]: number for number, patient in enumerate(given["patients"], start=1)}
    faults: list[str] = []
    services: list[_Service] = []
    travel = Decimal(0)
    for route in answer["routes"]:
        travel += _route(given, row, route, services, faults)
    _check_caregivers(given, answer, services, faults)
    late = _check_patients(given, services, faults)
    total, worst = sum(late, Decimal(0)), max(late, default=Decimal(0))
    return Evaluation(
        objective=(travel + total + worst) / 3,
        travel=travel,
        tardiness=total,
        tardiness_max=worst,
        faults=tuple(faults),
    )


def _load(path: Path) -> Any:
    raw = path.read_bytes()
    text = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    return json.loads(text, parse_float=Decimal, parse_int=Decimal)


def _duration(given: Any, patient: Any, service: str) -> Decimal:
    for wanted in patient["required_caregivers"]:
        if wanted["service"] == service and "duration" in wanted:
            return Decimal(wanted["duration"])
    return next(Decimal(s["default_duration"]) for s in given["services"] if s["id"] == service)


def _route(given: Any, row: dict[str, int], route: Any, services: list[_Service], faults: list[str]) -> Decimal:
    patients = {patient["id"]: patient for patient in given["patients"]}
    here, free, travelled = 0, Decimal(0), Decimal(0)
    for location in sorted(route["locations"], key=lambda stop: stop["arrival_time"]):
        name = location.get("patient", location.get("patient_id"))
        service = location.get("service", location.get("service_id"))
        if name not in patients:
            faults.append(f"{name} is not a patient")
            continue
        there = row[name]
        leg = Decimal(given["distances"][here][there])
        start = Decimal(location["arrival_time"])
        if start + SLACK < free + leg:
            faults.append(f"{route['caregiver_id']} starts {name} at {start} and cannot be there before {free + leg}")
        services.append(_Service(route["caregiver_id"], name, service, start))
        free = start + _duration(given, patients[name], service)
        here, travelled = there, travelled + leg
    return travelled + Decimal(given["distances"][here][0])


def _check_caregivers(given: Any, answer: Any, services: list[_Service], faults: list[str]) -> None:
    abilities = {caregiver["id"]: set(caregiver["abilities"]) for caregiver in given["caregivers"]}
    routes = [route["caregiver_id"] for route in answer["routes"]]
    if len(set(routes)) != len(routes):
        faults.append("a caregiver has two routes")
    faults += [
        f"{done.caregiver} may not do {done.service} for {done.patient}"
        for done in services
        if done.service not in abilities.get(done.caregiver, set())
    ]


def _check_patients(given: Any, services: list[_Service], faults: list[str]) -> list[Decimal]:
    by_patient: dict[str, list[_Service]] = defaultdict(list)
    for each in services:
        by_patient[each.patient].append(each)
    late: list[Decimal] = []
    for patient in given["patients"]:
        name, done = patient["id"], by_patient[patient["id"]]
        wanted = [needed["service"] for needed in patient["required_caregivers"]]
        if sorted(each.service for each in done) != sorted(wanted):
            faults.append(f"{name} wants {wanted} and gets {[each.service for each in done]}")
            continue
        opens, closes = (Decimal(edge) for edge in patient["time_window"])
        for each in done:
            if each.start + SLACK < int(opens):
                faults.append(f"{name} starts at {each.start}, before {opens}")
            late.append(max(Decimal(0), each.start - int(closes)))
        if len(wanted) == 2:
            _check_pair(patient, wanted, done, faults)
    return late


def _check_pair(patient: Any, wanted: list[str], done: list[_Service], faults: list[str]) -> None:
    first = next(each for each in done if each.service == wanted[0])
    second = next(each for each in reversed(done) if each.service == wanted[1])
    if first.caregiver == second.caregiver:
        faults.append(f"{patient['id']} has one caregiver twice")
    how = patient["synchronization"]
    least, most = (Decimal(0), Decimal(0)) if how["type"] == "simultaneous" else how["distance"]
    apart = second.start - first.start
    if not least - SLACK <= apart <= most + SLACK:
        faults.append(f"{patient['id']}'s services start {apart} apart")
