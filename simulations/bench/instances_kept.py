"""Keeps solutions that beat the best published value, in the published format; never a worse one over a better.

A folder of kept solutions has one folder a set; `table` evaluates all of them anew from the files alone.
"""

from __future__ import annotations

import gzip
import importlib
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

from rostering.formats.whole_file import whole
from simulations.bench.instances_sets import SETS, Entry, InstanceSet, SetError, entries

LESS = Decimal("0.0005")
"""Published values and starts carry three decimals: a solution beats one by more than half of the last."""
ENDINGS = (".gz", ".json", ".sol", ".solution", ".txt")
Evaluate = Callable[..., Any]


def keep(*, folder: Path, entry: Entry, solution: Path, evaluate: Evaluate) -> bool:
    """Copies `solution` to `folder` when it is feasible and beats the published values and what is kept there already."""
    judged = evaluate(instance=entry.path, solution=solution)
    if judged.faults or entry.best_known is None or judged.objective > entry.best_known - LESS:
        return False
    folder.mkdir(parents=True, exist_ok=True)
    kept = kept_path(folder=folder, entry=entry)
    if kept.exists():
        was = evaluate(instance=entry.path, solution=kept)
        if not was.faults and was.objective <= judged.objective:
            return False
    raw = solution.read_bytes()
    plain = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    with whole(path=kept) as aside:
        aside.write_bytes(gzip.compress(plain, mtime=0) if kept.suffix == ".gz" else plain)
    return True


def kept_path(*, folder: Path, entry: Entry) -> Path:
    """Where an instance's kept solution lies: packed JSON for JSON instances, CVRPLIB text for text ones."""
    return folder / f"{entry.name}.sol{'.json.gz' if '.json' in entry.path.name else ''}"


def evaluator(*, of: InstanceSet) -> Evaluate:
    """The set's independent evaluator."""
    evaluate: Evaluate = importlib.import_module(f"rostering.formats.{of.format_name}_evaluate").evaluate
    return evaluate


def table(*, data: Path, kept: Path, take: Path | None = None) -> dict[str, Any]:
    """Every kept solution evaluated beside the published best; before that, those of `take` that are better are taken.

    Both folders hold a folder a set. Raises SetError for a folder or a solution that belongs to no set or instance.
    """
    taken = sum(_taken(data, kept, of, take / of.name) for of in _sets_in(take)) if take else 0
    rows = [row for of in _sets_in(kept) for row in _rows(data, kept, of)]
    return {"rows": rows, "taken": taken, "faulty": sum(bool(row["faults"]) for row in rows)}


def _sets_in(folder: Path) -> list[InstanceSet]:
    if not folder.is_dir():
        raise SetError(f"{folder}: not a folder; name one that holds a folder a set, such as {folder}/mankowska-200")
    names = sorted(path.name for path in folder.iterdir() if path.is_dir())
    unknown = [name for name in names if name not in SETS]
    if unknown:
        raise SetError(f"{folder}: {unknown[0]} is not a set; sets are {', '.join(SETS)}")
    return [SETS[name] for name in names]


def _solutions(data: Path, of: InstanceSet, folder: Path) -> Iterator[tuple[Entry, Path]]:
    known = {entry.name: entry for entry in entries(data=data, of=of, subset=False)}
    for path in sorted(folder.iterdir()):
        name = path.name
        while name.endswith(ENDINGS):
            name = name.rpartition(".")[0]
        if name not in known:
            raise SetError(f"{path}: {of.name} has no instance {name}; name solutions <instance>.sol.json.gz (or .sol)")
        yield known[name], path


def _taken(data: Path, kept: Path, of: InstanceSet, take: Path) -> int:
    evaluate = evaluator(of=of)
    found = list(_solutions(data, of, take))
    return sum(keep(folder=kept / of.name, entry=entry, solution=path, evaluate=evaluate) for entry, path in found)


def _rows(data: Path, kept: Path, of: InstanceSet) -> Iterator[dict[str, Any]]:
    evaluate = evaluator(of=of)
    for entry, path in _solutions(data, of, kept / of.name):
        judged = evaluate(instance=entry.path, solution=path)
        best, ours = entry.best_known, float(judged.objective)
        yield {
            "set": of.name,
            "instance": entry.name,
            "published_best": None if best is None else round(float(best), 4),
            "objective": round(ours, 4),
            "gap": None if not best else round(ours / float(best) - 1, 6),
            "faults": list(judged.faults)[:5],
        }
