"""VROOM beside popback: the problem as VROOM's own JSON, its routes as a plan. It judges nothing."""

from __future__ import annotations

import json
import tempfile
from datetime import timedelta
from pathlib import Path

from rostering.formats.vroom_input import vroom_input
from rostering.search.compiled import Compiled
from simulations.bench.peers_plan import Limit, Plan, timed

NAME = "vroom"
PACKAGE = "pyvroom"
MODULE = "vroom"
EXPLORATION = 5


def plan(*, compiled: Compiled, limit: Limit, seed: int) -> Plan:  # noqa: ARG001 -- VROOM draws nothing: it has no seed
    """VROOM's best plan within the seconds (of the wall's clock: it knows no other), on one thread. Raises CannotExpressError."""
    from vroom.input.input import Input

    given = vroom_input(problem=compiled.problem)
    if not given["jobs"] or not given["vehicles"]:
        return Plan(runs={})
    with tempfile.TemporaryDirectory(prefix="popback-vroom-") as folder:
        path = Path(folder) / "input.json"
        path.write_text(json.dumps(given), encoding="utf-8")
        answer = Input.from_json(path).solve(
            exploration_level=EXPLORATION, nb_threads=1, timeout=timedelta(seconds=limit.seconds)
        )
    orders = {
        compiled.duties_of[route["vehicle"]][0]: [
            (int(step["id"]), 0) for step in route["steps"] if step["type"] == "job"
        ]
        for route in answer.to_dict()["routes"]
    }
    return timed(compiled=compiled, orders=orders)
