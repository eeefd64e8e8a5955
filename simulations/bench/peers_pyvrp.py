"""PyVRP beside popback: the problem as PyVRP's data, its routes as a plan. It judges nothing."""

from __future__ import annotations

from typing import Any

import numpy as np

from rostering.formats.vroom_input import CannotExpressError, vroom_input
from rostering.search.compiled import Compiled
from simulations.bench.peers_plan import Limit, PeerError, Plan, timed

NAME = "pyvrp"
PACKAGE = "pyvrp"
MODULE = "pyvrp"

Alike = tuple[str, int, int, int, int | None]
"""Mode, home, start and end of the duty, capacity: duties that nothing else tells apart are vehicles of one type."""


def plan(*, compiled: Compiled, limit: Limit, seed: int) -> Plan:
    """PyVRP's best plan within the seconds, every visit required. Raises CannotExpressError, PeerError."""
    import pyvrp

    _refuse(compiled)
    if not compiled.demands or not compiled.duties:
        return Plan(runs={})
    types = _types(compiled)
    result = pyvrp.solve(_vrp_data(compiled, list(types)), _Until(limit), seed=seed, display=False)
    if not result.is_feasible():
        raise PeerError("pyvrp found no plan that keeps every window and load")
    left = [list(duties) for duties in types.values()]
    orders = {
        left[route.vehicle_type()].pop(): [(activity.idx, 0) for activity in route.schedule() if activity.is_client()]
        for route in result.best.routes()
    }
    return timed(compiled=compiled, orders=orders)


class _Until:
    """PyVRP's shape of a stopping criterion."""

    def __init__(self, limit: Limit) -> None:
        self.clock = limit.clock
        self.end = self.clock() + limit.seconds

    def __call__(self, best_cost: float) -> bool:  # noqa: ARG002 -- its shape
        """Whether the time is used up."""
        return self.clock() >= self.end


def _refuse(compiled: Compiled) -> None:
    """Whatever VROOM has no words for, PyVRP has none for either; nor for skills, several windows and days that end elsewhere."""
    vroom_input(problem=compiled.problem)
    everyone = len(compiled.duties)
    if any(len(slots[0]) != everyone for slots in compiled.eligible):
        raise CannotExpressError("skills, and whatever else says who may go where")
    if any(len(spans) != 1 for spans in compiled.windows):
        raise CannotExpressError("several windows of one visit")
    if any(worker.finish is not None for worker in compiled.workers):
        raise CannotExpressError("days that end elsewhere")


def _types(compiled: Compiled) -> dict[Alike, list[int]]:
    types: dict[Alike, list[int]] = {}
    for r, duty in enumerate(compiled.duties):
        worker = compiled.workers[duty.worker]
        assert worker.home is not None  # vroom_input refuses workers without one
        types.setdefault((worker.mode, worker.home, duty.start, duty.end, worker.capacity), []).append(r)
    return types


def _vrp_data(compiled: Compiled, types: list[Alike]) -> Any:
    import pyvrp

    problem = compiled.problem
    modes = sorted({kind[0] for kind in types})
    homes = sorted({kind[1] for kind in types})
    most = sum(demand.load for demand in compiled.demands)
    clients = [
        pyvrp.Client(
            location=demand.place,
            delivery=[demand.load],
            service_duration=demand.slots[0].service_seconds,
            tw_early=compiled.windows[d][0][0],
            tw_late=compiled.windows[d][0][1],
        )
        for d, demand in enumerate(compiled.demands)
    ]
    vehicles = [
        pyvrp.VehicleType(
            num_available=len(duties),
            capacity=[most if capacity is None else capacity],
            start_depot=homes.index(home),
            end_depot=homes.index(home),
            tw_early=start,
            tw_late=end,
            profile=modes.index(mode),
        )
        for (mode, home, start, end, capacity), duties in _types(compiled).items()
    ]
    matrices = [np.ascontiguousarray(problem.travel.seconds_by_mode[mode]) for mode in modes]
    return pyvrp.ProblemData(
        [pyvrp.Location(0, 0) for _ in range(problem.travel.places)],
        clients,
        [pyvrp.Depot(home) for home in homes],
        vehicles,
        matrices,
        matrices,
    )
