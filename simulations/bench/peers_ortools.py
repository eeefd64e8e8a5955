"""OR-Tools' routing solver beside popback: double-ups by shared start variables, guided local search. It judges nothing."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import Any

from ortools.constraint_solver import pywrapcp, routing_enums_pb2

from rostering.constraints.availability import rested_pieces
from rostering.formats.vroom_input import CannotExpressError
from rostering.search.compiled import Compiled
from simulations.bench.peers_plan import Limit, PeerError, Plan

NAME = "ortools"
PACKAGE = "ortools"
MODULE = "ortools"
TIME, LOAD = "time", "load"
FREE = 1 << 40
WALL_PER_CPU = 20
ROUTING: Any = pywrapcp
"""Its routing classes have no types."""


def plan(*, compiled: Compiled, limit: Limit, seed: int) -> Plan:  # noqa: ARG001 -- the routing solver has no seed
    """The routing solver's best plan within the seconds. Raises CannotExpressError, PeerError."""
    _refuse(compiled)
    if not compiled.demands or not compiled.duties:
        return Plan(runs={})
    model = _Model(compiled)
    found = model.solve(limit)
    weights = compiled.problem.weights
    unseen = (
        ("the largest lateness",) if weights.lateness_worst and any(d.due is not None for d in compiled.demands) else ()
    )
    return Plan(runs=found, approximates=unseen)


def _refuse(compiled: Compiled) -> None:
    weights, demands, workers = compiled.problem.weights, compiled.demands, compiled.workers
    told = {
        "due windows": any(demand.due_windows for demand in demands),
        "slots apart from each other": any(d.sync.independent for d in demands if len(d.slots) > 1),
        "least gaps between visits of one customer": any(demand.gap_seconds for demand in demands),
        "pinned visits": any(compiled.fixed),
        "wished-for workers": any(cost for rows in compiled.soft_cost for row in rows for cost in row),
        "preferred starts": weights.off_preferred and any(d.preferred_start is not None for d in demands),
        "a price of waiting": weights.waiting or weights.waiting_worst or weights.idle_worst,
        "a price of unbalanced work": weights.balance,
        "a price of strangers": weights.stranger,
        "several shifts of one worker": any(len(rested_pieces(worker=worker)) > 1 for worker in workers),
        "hours limits": any(worker.hours_limit_seconds is not None for worker in workers),
        "breaks": any(worker.break_rule is not None or worker.meal is not None for worker in workers),
        "overtime": any(worker.overtime_seconds_max for worker in workers),
        "leaving at the start of a shift": any(worker.leaves_at_shift_start for worker in workers),
    }
    for what, is_so in told.items():
        if is_so:
            raise CannotExpressError(what)


class _Model:
    """A routing model: a node a slot, a node a home, and one that is nowhere for workers whose journeys home do not count."""

    def __init__(self, compiled: Compiled) -> None:
        self.compiled = compiled
        self.slots = [(d, k) for d, demand in enumerate(compiled.demands) for k in range(len(demand.slots))]
        ends = {worker.home for worker in compiled.workers} | {worker.last_place for worker in compiled.workers}
        self.homes = sorted(home for home in ends if home is not None)
        self.nowhere = int(None in ends)
        starts = [self._home(compiled.workers[duty.worker].home) for duty in compiled.duties]
        finishes = [self._home(compiled.workers[duty.worker].last_place) for duty in compiled.duties]
        nodes = len(self.slots) + len(self.homes) + self.nowhere
        self.manager: Any = ROUTING.RoutingIndexManager(nodes, len(compiled.duties), starts, finishes)
        self.routing: Any = ROUTING.RoutingModel(self.manager)
        self._travel()
        self.time: Any = self.routing.GetDimensionOrDie(TIME)
        self._shifts()
        self._loads()
        for node in range(len(self.slots)):
            self._slot(node)
        self._pairs()

    def _home(self, home: int | None) -> int:
        return len(self.slots) + (len(self.homes) if home is None else self.homes.index(home))

    def _travel(self) -> None:
        """Costs are weighed travel; the time of a leg is the service before it and the travel, by the duty's mode."""
        places = [self.compiled.demands[d].place for d, _ in self.slots] + self.homes
        services = [self.compiled.demands[d].slots[k].service_seconds for d, k in self.slots]
        services += [0] * (len(self.homes) + self.nowhere)
        weight = self.compiled.problem.weights.travel
        time_of, cost_of = {}, {}
        for mode in sorted({worker.mode for worker in self.compiled.workers}):
            whole = self.compiled.problem.travel.seconds_by_mode[mode]
            legs = [whole[a, places].tolist() + [0] * self.nowhere for a in places]
            legs += [[0] * (len(places) + 1)] * self.nowhere
            cost_of[mode] = self.routing.RegisterTransitMatrix([[weight * leg for leg in row] for row in legs])
            times = [[services[a] + leg for leg in row] for a, row in enumerate(legs)]
            time_of[mode] = self.routing.RegisterTransitMatrix(times)
        modes = [self.compiled.workers[duty.worker].mode for duty in self.compiled.duties]
        for r, mode in enumerate(modes):
            self.routing.SetArcCostEvaluatorOfVehicle(cost_of[mode], r)
        self.routing.AddDimensionWithVehicleTransits([time_of[mode] for mode in modes], FREE, FREE, False, TIME)

    def _shifts(self) -> None:
        for r, duty in enumerate(self.compiled.duties):
            for index in (self.routing.Start(r), self.routing.End(r)):
                self.time.CumulVar(index).SetRange(duty.start, duty.end)

    def _loads(self) -> None:
        capacities = [self.compiled.workers[duty.worker].capacity for duty in self.compiled.duties]
        if all(capacity is None for capacity in capacities):
            return
        loads = [self.compiled.demands[d].load for d, _ in self.slots] + [0] * (len(self.homes) + self.nowhere)
        limits = [sum(loads) if capacity is None else capacity for capacity in capacities]
        transit = self.routing.RegisterUnaryTransitVector(loads)
        self.routing.AddDimensionWithVehicleCapacity(transit, 0, limits, True, LOAD)

    def _slot(self, node: int) -> None:
        d, k = self.slots[node]
        index = self.manager.NodeToIndex(node)
        spans, demand = self.compiled.windows[d], self.compiled.demands[d]
        apart = demand.sync.max_seconds if k == 1 else 0
        start = self.time.CumulVar(index)
        if spans:
            start.SetRange(spans[0][0], spans[-1][1] + apart)
            for before, after in pairwise(spans):
                if apart == 0 and after[0] > before[1] + 1:
                    start.RemoveInterval(before[1] + 1, after[0] - 1)
        allowed = list(self.compiled.eligible[d][k]) if spans else []
        self.routing.VehicleVar(index).SetValues([-1, *allowed])
        self.routing.AddDisjunction([index], self.compiled.penalty[d] // len(demand.slots))
        if demand.due is not None:
            self.time.SetCumulVarSoftUpperBound(index, demand.due, self.compiled.problem.weights.lateness)

    def _pairs(self) -> None:
        """Both halves of a double-up by two workers, their starts as far apart as agreed.

        A half alone is legal while it is searched, because first plans grow a slot at a time; `solve` leaves it out.
        """
        solver = self.routing.solver()
        node_of = {slot: node for node, slot in enumerate(self.slots)}
        for d, demand in enumerate(self.compiled.demands):
            if len(demand.slots) < 2:
                continue
            first, second = (self.manager.NodeToIndex(node_of[d, k]) for k in (0, 1))
            both = self.routing.ActiveVar(first) + self.routing.ActiveVar(second)
            differ = solver.IsDifferentVar(self.routing.VehicleVar(first), self.routing.VehicleVar(second))
            solver.Add(differ >= both - 1)
            gap = self.time.CumulVar(second) - self.time.CumulVar(first)
            solver.Add(gap >= demand.sync.min_seconds)
            solver.Add(gap <= demand.sync.max_seconds)

    def solve(self, limit: Limit) -> dict[int, list[tuple[int, int, int]]]:
        """Runs by duty. Raises PeerError when no first plan is found."""
        how = ROUTING.DefaultRoutingSearchParameters()
        how.first_solution_strategy = routing_enums_pb2.FirstSolutionStrategy.PARALLEL_CHEAPEST_INSERTION
        how.local_search_metaheuristic = routing_enums_pb2.LocalSearchMetaheuristic.GUIDED_LOCAL_SEARCH
        how.time_limit.FromMilliseconds(max(1, int(limit.seconds * 1000 * (WALL_PER_CPU if limit.is_cpu else 1))))
        if limit.is_cpu:
            clock, end = limit.clock, limit.clock() + limit.seconds
            self.routing.AddSearchMonitor(self.routing.solver().CustomLimit(lambda: clock() >= end))
        found = self.routing.SolveWithParameters(how)
        if found is None:
            raise PeerError("ortools found no first plan in the time")
        runs = {r: self._run(found, r) for r in range(len(self.compiled.duties))}
        placed = Counter(d for stops in runs.values() for d, _, _ in stops)
        whole = {d for d, many in placed.items() if many == len(self.compiled.demands[d].slots)}
        return {r: [stop for stop in stops if stop[0] in whole] for r, stops in runs.items()}

    def _run(self, found: Any, r: int) -> list[tuple[int, int, int]]:
        made = []
        index = found.Value(self.routing.NextVar(self.routing.Start(r)))
        while not self.routing.IsEnd(index):
            d, k = self.slots[self.manager.IndexToNode(index)]
            made.append((d, k, found.Min(self.time.CumulVar(index))))
            index = found.Value(self.routing.NextVar(index))
        return made
