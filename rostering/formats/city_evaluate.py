"""Recounts a city day's unassigned worker-visits and travel from the instance and the solution files alone.

It shares no code with the search, the verifier, the reader or the writer: exact fractions from the text of the files.
"""

from __future__ import annotations

import gzip
import json
import math
from collections import defaultdict
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from typing import Any

FIRST = 100_000
"""One unassigned worker-visit outweighs any travel."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """What the files say; `objective` puts `unassigned` before `travel_minutes`; `faults` is empty when all rules hold."""

    objective: Fraction
    unassigned: int
    travel_minutes: Fraction
    faults: tuple[str, ...]


def evaluate(*, instance: Path, solution: Path) -> Evaluation:
    """Worker-visits that no carer has, minutes from home to home, and every fault found.

    Raises KeyError, TypeError or ValueError for files of another shape.
    """
    given, answer = _load(instance), _load(solution)
    visits = {int(visit["id"]): visit for visit in given["visits"]}
    carers = {int(carer["id"]): carer for carer in given["carers"]}
    routes = [(int(route["carer"]), route["visits"]) for route in answer["routes"]]
    faults = [f"carer {who} is not in the instance" for who, _ in routes if who not in carers]
    faults += [
        f"{stop['visit']} is no visit" for _, stops in routes for stop in stops if int(stop["visit"]) not in visits
    ]
    if len({who for who, _ in routes}) < len(routes):
        faults.append("a carer has two routes")
    travel = Fraction(0)
    if not faults:
        for who, stops in routes:
            travel += _route(given, carers[who], [(visits[int(stop["visit"])], stop) for stop in stops], faults)
    done = _together(visits, routes, faults)
    unassigned = sum(int(visit["n"]) for visit in visits.values()) - done
    return Evaluation(
        objective=FIRST * unassigned + travel, unassigned=unassigned, travel_minutes=travel, faults=tuple(faults)
    )


def _load(path: Path) -> Any:
    raw = path.read_bytes()
    text = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    return json.loads(text, parse_float=Fraction, parse_int=Fraction)


def _minutes(given: Any, here: Any, there: Any) -> int:
    """Travel rounded up: the least whole m with m * m at or above the square of the detoured way over the speed."""
    squared = (here["x"] - there["x"]) ** 2 + (here["y"] - there["y"]) ** 2
    exact = squared * (given["detour"] * 60 / given["kmh"]) ** 2
    whole = math.isqrt(math.floor(exact))
    return whole if whole * whole == exact else whole + 1


def _route(given: Any, carer: Any, stops: list[tuple[Any, Any]], faults: list[str]) -> Fraction:
    """The route's travel; faults for a start that is too early or outside its window, a skill, or a late way home."""
    if not stops:
        return Fraction(0)
    free, end = carer["shift"]
    name, travel = int(carer["id"]), Fraction(0)
    places = [carer, *(visit for visit, _ in stops), carer]
    legs = [_minutes(given, here, there) for here, there in pairwise(places)]
    for (visit, stop), leg in zip(stops, legs, strict=False):
        number, start = int(visit["id"]), stop["start"]
        if start < free + leg:
            faults.append(f"carer {name} starts {number} at {start} and cannot be there before {free + leg}")
        if not visit["tw"][0] <= start <= visit["tw"][1]:
            faults.append(f"visit {number} starts at {start}, outside {[int(edge) for edge in visit['tw']]}")
        if visit["skill"] >= 0 and visit["skill"] not in carer["skills"]:
            faults.append(f"carer {name} lacks the skill of visit {number}")
        free = start + visit["dur"]
        travel += leg
    if free + legs[-1] > end:
        faults.append(f"carer {name} is home at {free + legs[-1]}, after {end}")
    return travel + legs[-1]


def _together(visits: dict[int, Any], routes: list[tuple[int, Any]], faults: list[str]) -> int:
    """Worker-visits done: each visit by as many carers as it wants, all at once, or by none."""
    done: dict[int, list[tuple[int, Fraction]]] = defaultdict(list)
    for who, stops in routes:
        for stop in stops:
            done[int(stop["visit"])].append((who, stop["start"]))
    for number, by in done.items():
        if number not in visits:
            continue
        if len(by) != visits[number]["n"] or len({who for who, _ in by}) < len(by):
            faults.append(f"visit {number} wants {int(visits[number]['n'])} carers and has {[who for who, _ in by]}")
        if len({start for _, start in by}) > 1:
            faults.append(f"the carers of visit {number} start at different times")
    return sum(len(by) for by in done.values())
