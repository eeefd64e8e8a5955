"""Recomputes a VRPTW objective from a CVRPLIB solution file and its instance file alone.

It shares no code with the solver, the verifier or the reader: whole tenths from the text of the two files.
"""

from __future__ import annotations

import gzip
from collections import Counter
from dataclasses import dataclass
from decimal import Decimal
from itertools import pairwise
from math import isqrt
from pathlib import Path
from typing import NamedTuple


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What the files say: distance with one decimal, routes driven; `faults` is empty when the solution is feasible."""

    objective: Decimal
    routes: int
    faults: tuple[str, ...]


class _Customer(NamedTuple):
    x: Decimal
    y: Decimal
    demand: Decimal
    ready: Decimal
    due: Decimal
    service: Decimal


def evaluate(*, instance: Path, solution: Path) -> Evaluation:
    """Distance of every route with the way back, each leg cut to one decimal, and every fault found.

    Definition: 12th DIMACS implementation challenge, VRPTW. Raises ValueError or IndexError for files of another shape.
    """
    number, capacity, customers = _instance(instance)
    routes, claimed = _solution(solution)
    faults = _visited(len(customers), routes)
    if len(routes) > number:
        faults.append(f"{len(routes)} routes, and there are {number} vehicles")
    total = Decimal(0)
    for k, route in enumerate(routes, start=1):
        known = [c for c in route if 0 < c < len(customers)]
        total += sum((_apart(customers[a], customers[b]) for a, b in pairwise([0, *known, 0])), Decimal(0))
        faults += [f"route {k}: {fault}" for fault in _route(customers, known, capacity)]
    if claimed is not None and claimed != total:
        faults.append(f"the file says cost {claimed}, its routes cost {total}")
    return Evaluation(objective=total, routes=len(routes), faults=tuple(faults))


def _instance(path: Path) -> tuple[int, Decimal, list[_Customer]]:
    raw = path.read_bytes()
    text = (gzip.decompress(raw) if raw.startswith(b"\x1f\x8b") else raw).decode()
    words = text[text.index("CAPACITY") + len("CAPACITY") :].split()
    number, capacity = int(words[0]), Decimal(words[1])
    values = text[text.index("SERVICE") :].split("\n", maxsplit=1)[1].split()
    table = [values[i : i + 7] for i in range(0, len(values), 7)]
    return number, capacity, [_Customer(*(Decimal(value) for value in row[1:])) for row in table]


def _solution(path: Path) -> tuple[list[list[int]], Decimal | None]:
    routes, cost = [], None
    for line in path.read_text().splitlines():
        if line.lower().startswith("route"):
            routes.append([int(word) for word in line.split(":")[1].split()])
        elif line.lower().startswith("cost"):
            cost = Decimal(line.split()[1])
    return [route for route in routes if route], cost


def _apart(a: _Customer, b: _Customer) -> Decimal:
    square = ((a.x - b.x) ** 2 + (a.y - b.y) ** 2) * 100
    return Decimal(isqrt(int(square))) / 10


def _visited(size: int, routes: list[list[int]]) -> list[str]:
    times = Counter(c for route in routes for c in route)
    wrong = [f"customer {c} is visited {times[c]} times" for c in range(1, size) if times[c] != 1]
    return wrong + [f"{c} is not a customer" for c in sorted(times) if not 0 < c < size]


def _route(customers: list[_Customer], route: list[int], capacity: Decimal) -> list[str]:
    """What is wrong with one route: load, a start after the due date, a return after the depot's."""
    wrong = []
    load = sum((customers[c].demand for c in route), Decimal(0))
    if load > capacity:
        wrong.append(f"load {load} is over {capacity}")
    here, now = customers[0], customers[0].ready
    for c in route:
        there = customers[c]
        now = max(now + _apart(here, there), there.ready)
        if now > there.due:
            wrong.append(f"customer {c} starts at {now}, after {there.due}")
        here, now = there, now + there.service
    if now + _apart(here, customers[0]) > customers[0].due:
        wrong.append(f"it is back at {now + _apart(here, customers[0])}, after {customers[0].due}")
    return wrong
