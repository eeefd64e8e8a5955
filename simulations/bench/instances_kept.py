"""Keeps solutions that beat the best published value, in the published format; never a worse one over a better."""

from __future__ import annotations

import os
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

from simulations.bench.instances_sets import Entry

LESS = Decimal("0.0005")
"""Published values and starts carry three decimals: a solution beats one by more than half of the last."""


def keep(*, folder: Path, entry: Entry, solution: Path, evaluate: Callable[..., Any]) -> bool:
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
    aside = kept.with_name(f".{kept.name}.{os.getpid()}")
    aside.write_bytes(solution.read_bytes())
    aside.replace(kept)
    return True


def kept_path(*, folder: Path, entry: Entry) -> Path:
    """Where an instance's kept solution lies: JSON for JSON instances, CVRPLIB text for text ones."""
    return folder / f"{entry.name}.sol{'.json' if '.json' in entry.path.name else ''}"
