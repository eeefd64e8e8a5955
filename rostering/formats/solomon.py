"""VRPTW instances (Solomon; Gehring and Homberger) in their text format, and solutions in CVRPLIB's; it does not judge them.

Convention of the 12th DIMACS challenge: distance and travel time are Euclidean, cut (not rounded) to one decimal; only
distance counts, vehicles are free up to the file's number. A Problem's tick is a tenth: every number times ten.
"""

from __future__ import annotations

import gzip
import math
import re
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from rostering.formats.error import FormatError
from rostering.formats.signs import Signs
from rostering.problem import Demand, Problem, ProblemError, Shift, Slot, Travel, Window, Worker
from rostering.roster import Roster
from rostering.weights import Weights

NAME = "solomon"
SUFFIX = ".sol"
TENTHS = 10
FILE_BYTES_MAX = 20_000_000
CUSTOMERS_MAX = 5_000
VEHICLES_MAX = 5_000
COLUMNS = ("customer number", "x", "y", "demand", "ready time", "due date", "service time")
VALUE_MAX = 10**7


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """A read file and its problem; place 0 is the depot, demand `str(i)` is customer i at place i."""

    name: str
    problem: Problem


def claims(*, signs: Signs) -> bool:
    """Whether a file means to be of this format."""
    return signs.suffix == ".txt" or (not signs.keys and b"NUMBER" in signs.head and b"CAPACITY" in signs.head)


def read(*, path: Path) -> Instance:
    """The instance in a text file, plain or gzip. Raises FormatError naming line and field; OSError if there is no file."""
    lines = _text(path).splitlines()
    number, capacity = _fleet(lines)
    rows = _customers(lines)
    try:
        problem = _problem(number, capacity, rows)
    except ProblemError as error:
        raise FormatError(where=error.where, wrong=str(error)) from error
    return Instance(name=path.name.removesuffix(".gz").removesuffix(".txt"), problem=problem)


def write(*, path: Path, instance: Instance, roster: Roster) -> None:
    """The roster's runs as CVRPLIB routes and their cost; who is unfilled is in none of them."""
    cost = parts(problem=instance.problem, roster=roster)["objective"]
    runs = [run for run in roster.runs if run.stops]
    routes = [f"Route #{k}: {' '.join(stop.visit for stop in run.stops)}" for k, run in enumerate(runs, start=1)]
    path.write_text("\n".join([*routes, f"Cost {cost:.1f}"]) + "\n", encoding="utf-8")


def read_routes(*, path: Path) -> tuple[tuple[int, ...], ...]:
    """The routes of a CVRPLIB solution file, in order, as customer numbers. Raises FormatError naming the line."""
    routes: list[tuple[int, ...]] = []
    for number, line in enumerate(_text(path).splitlines(), start=1):
        if not line.strip().lower().startswith("route"):
            continue
        _, colon, stops = line.partition(":")
        if not colon or not all(re.fullmatch(r"[0-9]{1,9}", stop) for stop in stops.split()):
            raise FormatError(where=f"line {number}", wrong="not `Route #k: customer numbers`")
        routes.append(tuple(int(stop) for stop in stops.split()))
    if not routes:
        raise FormatError(where="file", wrong="no line `Route #1: …`")
    return tuple(routes)


def parts(*, problem: Problem, roster: Roster) -> dict[str, float]:  # noqa: ARG001 -- the shape of every format
    """The published objective, distance, in the file's unit, and how many routes have it."""
    travel = sum(run.travel_seconds for run in roster.runs) / TENTHS
    return {"objective": travel, "travel": travel, "routes": sum(bool(run.stops) for run in roster.runs)}


def published_bound(*, lower_bound: int) -> float:
    """A lower bound in tenths, as distance."""
    return lower_bound / TENTHS


def _text(path: Path) -> str:
    raw = path.read_bytes()
    try:
        if raw[:2] == b"\x1f\x8b":
            unpack = zlib.decompressobj(wbits=31)
            raw = unpack.decompress(raw, FILE_BYTES_MAX)
            if not unpack.eof:
                raise FormatError(where="file", wrong="the gzip is cut short or unpacks to too much")
        return raw.decode("ascii")
    except (UnicodeDecodeError, zlib.error, gzip.BadGzipFile) as error:
        raise FormatError(where="file", wrong=f"not plain text, or cut short: {error}") from error


def _fleet(lines: list[str]) -> tuple[int, int]:
    """Vehicles and capacity: the line below `NUMBER CAPACITY`."""
    heads = [i for i, line in enumerate(lines) if line.split() == ["NUMBER", "CAPACITY"]]
    if not heads or heads[0] + 1 >= len(lines):
        raise FormatError(where="file", wrong="no line `NUMBER CAPACITY` with a line of two numbers below it")
    at = heads[0] + 2
    words = lines[heads[0] + 1].split()
    if len(words) != 2:
        raise FormatError(where=f"line {at}", wrong=f"{len(words)} values in place of a number and a capacity")
    number = _tenths(words[0], f"line {at}, vehicle number") / TENTHS
    capacity = _tenths(words[1], f"line {at}, capacity")
    if number != int(number) or number > VEHICLES_MAX:
        raise FormatError(where=f"line {at}, vehicle number", wrong=f"{words[0]} is not whole, up to {VEHICLES_MAX}")
    return int(number), capacity


def _customers(lines: list[str]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """(customers + 1) rows of seven numbers in tenths, the depot first."""
    heads = [i for i, line in enumerate(lines) if line.split()[:1] == ["CUST"]]
    if not heads:
        raise FormatError(where="file", wrong="no line `CUST NO. XCOORD. …` above the customers")
    rows: list[list[int]] = []
    for at, line in enumerate(lines[heads[0] + 1 :], start=heads[0] + 2):
        words = line.split()
        if not words:
            continue
        if len(words) != len(COLUMNS):
            raise FormatError(where=f"line {at}", wrong=f"{len(words)} values in place of {', '.join(COLUMNS)}")
        row = [_tenths(word, f"line {at}, {name}") for word, name in zip(words, COLUMNS, strict=True)]
        if row[0] != len(rows) * TENTHS:
            raise FormatError(where=f"line {at}, customer number", wrong=f"{words[0]} in place of {len(rows)}")
        if row[5] < row[4]:
            raise FormatError(where=f"line {at}, due date", wrong=f"{words[5]} is before the ready time {words[4]}")
        rows.append(row)
    if not 1 <= len(rows) <= CUSTOMERS_MAX + 1:
        raise FormatError(where="file", wrong=f"{len(rows)} lines of customers; give a depot and up to {CUSTOMERS_MAX}")
    return np.array(rows, dtype=np.int64)


def _tenths(word: str, where: str) -> int:
    negative_too = where.endswith((" x", " y"))
    try:
        value = float(word)
    except ValueError as error:
        raise FormatError(where=where, wrong=f"{word!r} is not a number") from error
    if not math.isfinite(value) or abs(value) > VALUE_MAX or (value < 0 and not negative_too):
        raise FormatError(where=where, wrong=f"{word} is negative, huge or not finite")
    if abs(value * TENTHS - round(value * TENTHS)) > 1e-6:
        raise FormatError(where=where, wrong=f"{word} has more than one decimal")
    return round(value * TENTHS)


def _distances(rows: np.ndarray[Any, np.dtype[np.int64]]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Whole tenths between all places: the root of the sum of squares, cut; exact however near to a whole it is."""
    x, y = rows[:, 1], rows[:, 2]
    squares = (x[:, None] - x[None, :]) ** 2 + (y[:, None] - y[None, :]) ** 2
    roots = np.sqrt(squares.astype(np.float64)).astype(np.int64)
    roots -= roots * roots > squares
    roots += (roots + 1) * (roots + 1) <= squares
    return roots


def _problem(number: int, capacity: int, rows: np.ndarray[Any, np.dtype[np.int64]]) -> Problem:
    matrix = _distances(rows)
    opens, closes = int(rows[0, 4]), int(rows[0, 5])
    demands = tuple(
        Demand(
            id=str(i),
            customer=str(i),
            place=i,
            slots=(Slot(int(row[6])),),
            windows=(Window(int(row[4]), int(row[5])),),
            load=int(row[3]),
        )
        for i, row in enumerate(rows)
        if i > 0
    )
    workers = tuple(
        Worker(
            id=f"v{k}",
            shifts=(Shift(opens, closes),),
            home=0,
            capacity=capacity,
            daily_rest_seconds=0,
            weekly_rest_seconds=0,
        )
        for k in range(1, number + 1)
    )
    unfilled = 2 * int(matrix.max()) * (len(demands) + 2) + 1
    return Problem(
        demands=demands,
        workers=workers,
        travel=Travel({"car": matrix}),
        horizon=Shift(opens, closes),
        weights=Weights(travel=1, unfilled=unfilled),
    )
