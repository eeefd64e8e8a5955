"""Visits and workers as people keep them: two CSV files, or one JSON file, in; the roster in the same shape, out.

`visits.csv` and `workers.csv` (or any two names in which only `visits` and `workers` differ), or `{"visits": [...],
"workers": [...]}` with the same columns as keys. Times are local clock times, HH:MM; days DD/MM/YYYY; travel is as the
crow flies with the product's speeds, in whole minutes. docs/rosters/formats.md describes every column.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from rostering.explain import score
from rostering.formats.error import FormatError
from rostering.formats.json_fields import json_object, listed, only
from rostering.formats.plain_cells import Row, clock, csv_rows, day, json_rows, number, safe, text, texts, whole
from rostering.formats.signs import Signs
from rostering.problem import (
    SECONDS_PER_DAY,
    Break,
    Demand,
    Problem,
    ProblemError,
    Shift,
    Slot,
    Travel,
    Window,
    Worker,
)
from rostering.roster import Roster, Run
from rostering.travel_matrix import MODES, Place, build
from rostering.weights import Weights

NAME = "plain"
SUFFIX = None
MINUTE = 60
DAYS_MAX = 31
VISIT_REQUIRED = ("visit", "latitude", "longitude", "earliest", "latest", "minutes")
VISIT = (
    *VISIT_REQUIRED, "customer", "date", "workers", "skills", "gender", "language", "preferred_start", "preferred_workers",
    "excluded_workers", "pinned_workers", "gap_minutes",
)  # fmt: skip
WORKER_REQUIRED = ("worker", "latitude", "longitude", "start", "end")
WORKER = (
    *WORKER_REQUIRED, "date", "skills", "gender", "languages", "mode", "hours_max", "break_minutes", "break_after_hours",
    "excluded_customers",
)  # fmt: skip
OUT = ("date", "worker", "visit", "customer", "slot", "start", "end", "travel_minutes", "waiting_minutes", "reason")


@dataclass(frozen=True, slots=True, kw_only=True)
class Instance:
    """Read tables and their problem. `first` is the day of its origin (None: the tables have no dates); `notes` by visit."""

    name: str
    problem: Problem
    first: date | None
    notes: Mapping[str, Mapping[str, str]]


def claims(*, signs: Signs) -> bool:
    """Whether a file means to be of this format."""
    one_of_ours = bool(signs.keys & {"visits", "workers"}) and not signs.keys - {"visits", "workers"}
    return signs.suffix == ".csv" or one_of_ours or {"visits", "workers"} <= signs.keys


def read(*, path: Path) -> Instance:
    """The tables of a JSON file, or of a CSV file of visits and the one of workers beside it.

    Raises FormatError naming line and column; OSError if there is no file.
    """
    if path.suffix.lower() == ".csv":
        visits = csv_rows(path=path, known=VISIT, required=VISIT_REQUIRED)
        workers = csv_rows(path=_beside(path), known=WORKER, required=WORKER_REQUIRED)
    else:
        top = only(holder=json_object(path=path), known=("visits", "workers"), where="file")
        given = {name: listed(holder=top, key=name, where="file") for name in ("visits", "workers")}
        visits = json_rows(rows=given["visits"], name="visits", known=VISIT, required=VISIT_REQUIRED)
        workers = json_rows(rows=given["workers"], name="workers", known=WORKER, required=WORKER_REQUIRED)
    first, days = _days([*visits, *workers])
    spots = _Spots()
    demands = tuple(_demand(row, first, spots) for row in visits)
    staff = tuple(_worker(rows, first, spots) for rows in _by_worker(workers))
    try:
        problem = _problem(demands, staff, spots, days)
    except ProblemError as error:
        raise FormatError(where=error.where, wrong=str(error)) from error
    name = path.name.removesuffix(".gz").removesuffix(".json").removesuffix(".csv")
    notes = {demand.id: row.notes() for demand, row in zip(demands, visits, strict=True)}
    return Instance(name=name, problem=problem, first=first, notes=notes)


def write(*, path: Path, instance: Instance, roster: Roster) -> None:
    """The roster: a row a stop and a row an unfilled slot in CSV, or runs and unfilled slots in JSON, by the name's suffix."""
    if path.suffix.lower() == ".csv":
        path.write_text(_csv(instance, roster), encoding="utf-8-sig", newline="")
    else:
        path.write_text(json.dumps(_json(instance, roster), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def parts(*, problem: Problem, roster: Roster) -> dict[str, float]:
    """The points of the roster and the minutes on the road and waiting."""
    waits = sum(stop.waiting_seconds for run in roster.runs for stop in run.stops[1:])
    return {
        "objective": score(problem=problem, roster=roster).total,
        "travel_minutes": sum(run.travel_seconds for run in roster.runs) / MINUTE,
        "waiting_minutes": waits / MINUTE,
    }


def published_bound(*, lower_bound: int) -> float:
    """A lower bound in points."""
    return lower_bound


def _beside(path: Path) -> Path:
    if "visits" not in path.name:
        wrong = "its name does not hold `visits`; name the pair as visits.csv and workers.csv"
        raise FormatError(where=path.name, wrong=wrong)
    workers = path.with_name(path.name.replace("visits", "workers"))
    if not workers.exists():
        raise FormatError(where=workers.name, wrong=f"there is no such file beside {path.name}")
    return workers


def _days(rows: list[Row]) -> tuple[date | None, int]:
    """The first day of the tables, and how many days they span."""
    dated = [row for row in rows if row.has("date")]
    if not dated:
        return None, 1
    bare = next((row for row in rows if not row.has("date")), None)
    if bare is not None:
        raise FormatError(where=bare.at("date"), wrong="empty, and other rows have one; date every row or none")
    days = [day(row=row, column="date") for row in dated]
    first, span = min(days), (max(days) - min(days)).days + 1
    if span > DAYS_MAX:
        late = dated[days.index(max(days))]
        raise FormatError(
            where=late.at("date"), wrong=f"{span} days after the first; up to {DAYS_MAX} are rostered at once"
        )
    return first, span


def _midnight(row: Row, first: date | None) -> int:
    """Seconds from the origin to the row's midnight; days are 86,400 apart, as in every Problem."""
    return 0 if first is None else (day(row=row, column="date") - first).days * SECONDS_PER_DAY


class _Spots:
    """Places by their coordinates, in the order of their coming."""

    def __init__(self) -> None:
        self.known: dict[tuple[float, float], int] = {}

    def of(self, row: Row) -> int:
        latitude = number(row=row, column="latitude", least=-90, most=90)
        longitude = number(row=row, column="longitude", least=-180, most=180)
        return self.known.setdefault((latitude, longitude), len(self.known))

    def travel(self, modes: set[str]) -> Travel:
        if not self.known:
            return Travel({mode: np.zeros((1, 1), np.int64) for mode in modes})
        exact = build(places=[Place(*spot) for spot in self.known], modes={mode: MODES[mode] for mode in modes})
        return Travel({mode: -(-matrix // MINUTE) * MINUTE for mode, matrix in exact.seconds_by_mode.items()})


def _demand(row: Row, first: date | None, spots: _Spots) -> Demand:
    midnight = _midnight(row, first)
    earliest, latest = (clock(row=row, column=column) for column in ("earliest", "latest"))
    if latest < earliest:
        raise FormatError(where=row.at("latest"), wrong=f"before the earliest start {row.cells['earliest']}")
    service = whole(row=row, column="minutes", least=0, most=24 * 60) * MINUTE
    many = whole(row=row, column="workers", least=1, most=2) if row.has("workers") else 1
    gap = whole(row=row, column="gap_minutes", least=0, most=24 * 60) if row.has("gap_minutes") else 0
    name = text(row=row, column="visit")
    preferred = clock(row=row, column="preferred_start") * MINUTE + midnight if row.has("preferred_start") else None
    return Demand(
        id=name,
        customer=text(row=row, column="customer") if row.has("customer") else name,
        place=spots.of(row),
        slots=(Slot(service, frozenset(texts(row=row, column="skills"))),) * many,
        windows=(Window(midnight + earliest * MINUTE, midnight + latest * MINUTE),),
        preferred_start=preferred,
        gender=text(row=row, column="gender") if row.has("gender") else None,
        language=text(row=row, column="language") if row.has("language") else None,
        preferred_workers=frozenset(texts(row=row, column="preferred_workers")),
        excluded_workers=frozenset(texts(row=row, column="excluded_workers")),
        pinned_workers=texts(row=row, column="pinned_workers"),
        gap_seconds=gap * MINUTE,
    )


def _by_worker(rows: list[Row]) -> list[list[Row]]:
    """Rows of one worker together: each row is a shift of theirs."""
    found: dict[str, list[Row]] = {}
    for row in rows:
        found.setdefault(text(row=row, column="worker"), []).append(row)
    return list(found.values())


def _worker(rows: list[Row], first: date | None, spots: _Spots) -> Worker:
    row = rows[0]
    for other in rows[1:]:
        for column in (*WORKER_REQUIRED[1:3], *WORKER[6:]):
            if other.has(column) and other.cells[column] != row.cells.get(column):
                raise FormatError(where=other.at(column), wrong=f"unlike {row.where} of the same worker")
    mode = text(row=row, column="mode").lower() if row.has("mode") else "car"
    if mode not in MODES:
        raise FormatError(where=row.at("mode"), wrong=f"{mode!r} is none of {', '.join(MODES)}")
    hours = number(row=row, column="hours_max", least=0, most=24 * DAYS_MAX) if row.has("hours_max") else None
    return Worker(
        id=text(row=row, column="worker"),
        shifts=tuple(_shift(each, first) for each in rows),
        home=spots.of(row),
        skills=frozenset(texts(row=row, column="skills")),
        gender=text(row=row, column="gender") if row.has("gender") else None,
        languages=frozenset(texts(row=row, column="languages")),
        hours_limit_seconds=None if hours is None else int(hours * 3_600),
        break_rule=_break(row),
        mode=mode,
        excluded_customers=frozenset(texts(row=row, column="excluded_customers")),
    )


def _shift(row: Row, first: date | None) -> Shift:
    midnight = _midnight(row, first)
    start, end = (clock(row=row, column=column) for column in ("start", "end"))
    if end <= start:
        wrong = (
            f"not after the start {row.cells['start']}; a shift over midnight ends at 31:00 for 07:00 of the next day"
        )
        raise FormatError(where=row.at("end"), wrong=wrong)
    return Shift(midnight + start * MINUTE, midnight + end * MINUTE)


def _break(row: Row) -> Break | None:
    if not row.has("break_minutes"):
        return None
    usual = Break()
    hours = number(row=row, column="break_after_hours", least=0, most=24) if row.has("break_after_hours") else None
    return Break(
        seconds=whole(row=row, column="break_minutes", least=0, most=12 * 60) * MINUTE,
        after_seconds=usual.after_seconds if hours is None else int(hours * 3_600),
    )


def _problem(demands: tuple[Demand, ...], workers: tuple[Worker, ...], spots: _Spots, days: int) -> Problem:
    wants_starts = any(demand.preferred_start is not None for demand in demands)
    ends = [shift.end for worker in workers for shift in worker.shifts]
    return Problem(
        demands=demands,
        workers=workers,
        travel=spots.travel({worker.mode for worker in workers} or {"car"}),
        horizon=Shift(0, max([days * SECONDS_PER_DAY, *ends])),
        weights=replace(Weights(), off_preferred=int(wants_starts)),
    )


def _when(instance: Instance, seconds: int) -> tuple[str, str]:
    """(DD/MM/YYYY or nothing, HH:MM) of a time of the problem."""
    days, rest = divmod(seconds, SECONDS_PER_DAY)
    written = "" if instance.first is None else f"{instance.first + timedelta(days=days):%d/%m/%Y}"
    hours = rest // 3_600 + (24 * days if instance.first is None else 0)
    return written, f"{hours:02}:{rest % 3_600 // MINUTE:02}"


def _stops(instance: Instance, run: Run) -> list[dict[str, Any]]:
    demands = instance.problem.demand_by_id()
    rows = []
    for number_in_run, stop in enumerate(run.stops):
        written, start = _when(instance, stop.start)
        rows.append(
            {
                "date": written,
                "worker": run.worker,
                "visit": stop.visit,
                "customer": demands[stop.visit].customer,
                "slot": stop.slot + 1,
                "start": start,
                "end": _when(instance, stop.end)[1],
                "travel_minutes": stop.travel_seconds // MINUTE,
                "waiting_minutes": stop.waiting_seconds // MINUTE if number_in_run else 0,
                **instance.notes.get(stop.visit, {}),
            }
        )
    return rows


def _csv(instance: Instance, roster: Roster) -> str:
    demands = instance.problem.demand_by_id()
    noted = list(dict.fromkeys(column for notes in instance.notes.values() for column in notes))
    page = io.StringIO()
    rows = csv.DictWriter(page, fieldnames=[*OUT, *noted], restval="")
    rows.writeheader()
    for run in roster.runs:
        rows.writerows({key: safe(value) for key, value in row.items()} for row in _stops(instance, run))
    for missing in roster.unfilled:
        demand = demands[missing.visit]
        row = {"visit": demand.id, "customer": demand.customer, "slot": missing.slot + 1, "reason": missing.reason}
        row |= {"date": _when(instance, demand.windows[0].earliest)[0], **instance.notes.get(demand.id, {})}
        rows.writerow({key: safe(value) for key, value in row.items()})
    return page.getvalue()


def _json(instance: Instance, roster: Roster) -> dict[str, Any]:
    runs = [
        {
            "date": _when(instance, run.leave)[0],
            "worker": run.worker,
            "leave": _when(instance, run.leave)[1],
            "back": _when(instance, run.back)[1],
            "travel_minutes": run.travel_seconds // MINUTE,
            "stops": [{k: v for k, v in row.items() if k not in ("date", "worker")} for row in _stops(instance, run)],
        }
        for run in roster.runs
        if run.stops
    ]
    unfilled = [
        {
            "visit": missing.visit,
            "slot": missing.slot + 1,
            "reason": missing.reason,
            "nearest": [{"worker": near.worker, "rule": near.rule, "why": near.sentence} for near in missing.nearest],
        }
        for missing in roster.unfilled
    ]
    return {"runs": runs, "unfilled": unfilled}
