"""The published instance sets: where their files lie, their best-known values, the subset that gates. Solves nothing.

The folder is laid out as the benchmark folder that `docs/rosters/benchmarks.md` describes: `hhcrsp/<set>/` and
`vrptw/<set>/`, each with its `bks.csv`.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

SUFFIXES = (".json.gz", ".json", ".txt.gz", ".txt")
Read = Callable[[Mapping[str, str]], tuple[str, Mapping[str, Decimal]]]
Subset = Callable[[Sequence[str]], tuple[str, ...]]


class SetError(ValueError):
    """A set that cannot be measured: the sentence says which file or name is at fault and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InstanceSet:
    """A set by name. `format_name` is the module of `rostering.formats` that reads and writes it.

    `published` gives an instance's name and its published values from a row of `bks.csv`; the least is best-known.
    """

    name: str
    folder: str
    format_name: str
    subset: Subset
    published: Read
    pattern: str = ".*"
    table: str | None = "bks.csv"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One instance of a set: its file and its published values (none when nobody published any)."""

    name: str
    path: Path
    published: Mapping[str, Decimal]

    @property
    def best_known(self) -> Decimal | None:
        """The least published value."""
        return min(self.published.values(), default=None)


def entries(*, data: Path, of: InstanceSet, subset: bool) -> tuple[Entry, ...]:
    """The set's instances in order of name, or its gating subset. Raises SetError when the folder is not as it must be."""
    folder = data / of.folder
    paths = _files(folder, of.pattern)
    if not paths:
        raise SetError(f"--data: no instances of {of.name} in {folder}; name the folder that holds hhcrsp/ and vrptw/")
    published = _published(folder, of)
    names = of.subset(sorted(paths)) if subset else tuple(sorted(paths))
    missing = [name for name in names if name not in paths]
    if missing:
        raise SetError(f"--subset: {folder} lacks {', '.join(missing)}; put the whole set there")
    return tuple(Entry(name=name, path=paths[name], published=published.get(name, {})) for name in names)


def _files(folder: Path, pattern: str) -> dict[str, Path]:
    found: dict[str, Path] = {}
    if not folder.is_dir():
        return found
    for path in sorted(folder.iterdir()):
        suffix = next((suffix for suffix in SUFFIXES if path.name.endswith(suffix)), None)
        name = path.name.removesuffix(suffix or "")
        if suffix and re.fullmatch(pattern, name):
            found[name] = path
    return found


def _published(folder: Path, of: InstanceSet) -> dict[str, Mapping[str, Decimal]]:
    if of.table is None:
        return {}
    table = next((path for path in (folder / of.table, folder.parent / of.table) if path.is_file()), None)
    if table is None:
        raise SetError(f"--data: {folder.parent / of.table} is missing; it holds the best-known values of {of.name}")
    with table.open(newline="", encoding="utf-8") as text:
        rows = list(csv.DictReader(text))
    try:
        return dict(of.published(row) for row in rows)
    except (KeyError, InvalidOperation, TypeError) as error:
        raise SetError(f"{table}: a column is missing or not a number: {error!r}") from error


def _every(step: int, *others: str) -> Subset:
    def choose(names: Sequence[str]) -> tuple[str, ...]:
        return tuple(sorted({*names[::step], *others}))

    return choose


def _only(*names: str) -> Subset:
    return lambda _: names


def _thirds(row: Mapping[str, str], travel: str, total: str, worst: str) -> Decimal:
    """(travel + tardiness + largest tardiness) / 3, exactly: the tables' own thirds are rounded."""
    return sum((Decimal(row[name]) for name in (travel, total, worst)), Decimal(0)) / 3


def _mankowska(row: Mapping[str, str]) -> tuple[str, Mapping[str, Decimal]]:
    """The value whose solution file was checked: two of the table's other values come from papers alone."""
    return row["instance"], {"mnsa2024": _thirds(row, "mnsa_travel", "mnsa_total_tardiness", "mnsa_max_tardiness")}


def _italian(row: Mapping[str, str]) -> tuple[str, Mapping[str, Decimal]]:
    return row["instance"], {"mnsa2024": _thirds(row, "bks_travel", "bks_total_tardiness", "bks_max_tardiness")}


def _uhhc(row: Mapping[str, str]) -> tuple[str, Mapping[str, Decimal]]:
    columns = {"sa2025": "sa2025_objective", "cpsat2025": "cpsat2025_objective_recomputed_by_us"}
    values = {name: Decimal(row[column]) for name, column in columns.items() if row[column]}
    return f"{row['set']}/{row['instance']}", values


def _vrptw(row: Mapping[str, str]) -> tuple[str, Mapping[str, Decimal]]:
    return row["instance"], {"cvrplib": Decimal(row["bks_distance_dimacs_1dec"])}


def _of_folder(folder: str) -> Read:
    """Rows of one UHHC folder; its instance names are used once a folder only."""

    def read(row: Mapping[str, str]) -> tuple[str, Mapping[str, Decimal]]:
        name, values = _uhhc(row)
        where, _, short = name.partition("/")
        return (short if where == folder else name), values

    return read


def _mankowska_set(size: int, *numbers: int) -> InstanceSet:
    stem = f"Instanz{'CPLEX' if size < 100 else 'VNS'}_HCSRP_{size}_"
    return InstanceSet(
        name=f"mankowska-{size}",
        folder="hhcrsp/mankowska/instances",
        format_name="mankowska",
        pattern=re.escape(stem) + "[0-9]+",
        subset=_only(*(f"{stem}{number}" for number in numbers)) if numbers else _every(1),
        published=_mankowska,
    )


def _uhhc_set(name: str, folder: str, subset: Subset) -> InstanceSet:
    return InstanceSet(
        name=name, folder=f"hhcrsp/uhhc/{folder}", format_name="uhhc", subset=subset, published=_of_folder(folder)
    )


SETS: Mapping[str, InstanceSet] = {
    each.name: each
    for each in (
        _mankowska_set(10),
        _mankowska_set(25, 2, 5, 8),
        _mankowska_set(50, 2, 5, 8),
        _mankowska_set(75, 3, 8),
        _mankowska_set(100, 3, 8),
        _mankowska_set(200, 3, 8),
        _mankowska_set(300, 3, 8),
        _uhhc_set("uhhc", "validation", _every(3, "i-116", "i-247")),
        _uhhc_set("uhhc-small", "small", _every(1)),
        _uhhc_set("uhhc-bazirha", "bazirha", _every(1)),
        _uhhc_set("uhhc-bazirha-caie", "bazirha-caie", _every(1)),
        InstanceSet(
            name="italian",
            folder="hhcrsp/italian/instances",
            format_name="mankowska",
            subset=_every(5),
            published=_italian,
        ),
        InstanceSet(
            name="kummer",
            folder="hhcrsp/kummer2021/instances",
            format_name="mankowska",
            subset=_every(1),
            published=_italian,
        ),
        InstanceSet(
            name="solomon",
            folder="vrptw/solomon",
            format_name="solomon",
            subset=_only("R104", "RC104", "C204"),
            published=_vrptw,
        ),
        InstanceSet(
            name="gh1000",
            folder="vrptw/gh1000",
            format_name="solomon",
            subset=_only("C1_10_5", "R1_10_5", "RC2_10_5"),
            published=_vrptw,
        ),
        InstanceSet(
            name="city", folder="hhcrsp/city", format_name="city", subset=_every(1), published=_vrptw, table=None
        ),
    )
}
