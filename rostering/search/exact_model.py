"""The CP-SAT model of a few duties and visits: one circuit a duty, starts, pairs, points. It solves nothing itself."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from ortools.sat.python import cp_model

from rostering.bounds_slots import Slots
from rostering.search.compiled import Compiled
from rostering.search.engine import Stops

Item = tuple[int, int]
"""(demand, slot)."""


@dataclass(slots=True, kw_only=True)
class Model:
    """A model under construction: the free slots `rows`, who may have each (`takes`), when (`starts`), and its cost.

    `fixed` are the starts of slots in other runs; their visits' free halves keep to them.
    """

    compiled: Compiled
    slots: Slots
    duties: tuple[int, ...]
    runs: dict[int, Stops]
    stops: dict[Item, tuple[int, int]]
    rows: dict[Item, int]
    fixed: dict[Item, int]
    cp: cp_model.CpModel = field(default_factory=cp_model.CpModel)
    present: dict[int, cp_model.IntVar] = field(default_factory=dict)
    takes: dict[tuple[Item, int], cp_model.IntVar] = field(default_factory=dict)
    starts: dict[Item, cp_model.IntVar] = field(default_factory=dict)
    cost: list[cp_model.LinearExprT] = field(default_factory=list)


def build(
    *,
    compiled: Compiled,
    slots: Slots,
    runs: Mapping[int, Stops],
    duties: Iterable[int],
    visits: Iterable[int],
) -> Model:
    """A model that may rearrange the runs of `duties` and place `visits` there; hinted with `runs` as they are.

    `visits` holds every visit with a stop in those runs, and any that are unfilled. Half of a visit whose other half
    is in another run keeps its place in time beside it, and stays filled.
    """
    given = tuple(duties)
    stops = {(d, k): (r, start) for r, run in runs.items() for d, k, start in run}
    row_of = {item: n for n, item in enumerate(zip(slots.demand.tolist(), slots.number.tolist(), strict=True))}
    wanted = [(d, k) for d in visits for k in range(len(compiled.demands[d].slots))]
    free = [item for item in wanted if item not in stops or stops[item][0] in given]
    model = Model(
        compiled=compiled,
        slots=slots,
        duties=given,
        runs=dict(runs),
        stops=stops,
        rows={item: row_of[item] for item in free},
        fixed={item: start for item, (r, start) in stops.items() if r not in given},
    )
    _variables(model)
    for d in {d for d, _ in free}:
        _pair(model, d)
    for r in given:
        _circuit(model, r)
    _points(model)
    model.cp.minimize(cp_model.LinearExpr.sum(model.cost))
    _hint(model)
    return model


def _variables(model: Model) -> None:
    """Who takes each slot and when; all slots of a visit or none."""
    compiled, slots = model.compiled, model.slots
    for item, n in model.rows.items():
        d, k = item
        able = [r for r in model.duties if slots.able[n, r]]
        if d not in model.present:
            model.present[d] = model.cp.new_bool_var("")
        low = min((int(slots.earliest[n, r]) for r in able), default=0)
        high = max((int(slots.latest[n, r]) for r in able), default=0)
        start = model.cp.new_int_var(low, high, "")
        model.starts[item] = start
        if k == 0 and able and len(compiled.windows[d]) > 1:
            legal = cp_model.Domain.from_intervals([list(span) for span in compiled.windows[d]])
            model.cp.add_linear_expression_in_domain(start, legal)
        for r in able:
            takes = model.cp.new_bool_var("")
            model.takes[item, r] = takes
            model.cp.add(start >= int(slots.earliest[n, r])).only_enforce_if(takes)
            model.cp.add(start <= int(slots.latest[n, r])).only_enforce_if(takes)
        model.cp.add(sum(model.takes[item, r] for r in able) == model.present[d])


def _pair(model: Model, d: int) -> None:
    """A double-up's starts lie as its sync says, with two workers; a half beside a fixed half stays filled."""
    demand = model.compiled.demands[d]
    if model.compiled.fixed[d] and (d, 0) in model.stops:
        model.cp.add(model.present[d] == 1)
    if len(demand.slots) == 1:
        return
    fixed = [item for item in ((d, 0), (d, 1)) if item in model.fixed]
    first, second = (model.fixed[item] if item in model.fixed else model.starts[item] for item in ((d, 0), (d, 1)))
    apart = second - first
    model.cp.add(apart >= demand.sync.min_seconds).only_enforce_if(model.present[d])
    model.cp.add(apart <= demand.sync.max_seconds).only_enforce_if(model.present[d])
    if fixed:
        model.cp.add(model.present[d] == 1)
    taken: dict[int, list[cp_model.IntVar]] = defaultdict(list)
    for k in (0, 1):
        for r in model.duties:
            if ((d, k), r) in model.takes:
                taken[model.compiled.duties[r].worker].append(model.takes[(d, k), r])
    outside = {model.compiled.duties[model.stops[item][0]].worker for item in fixed}
    for worker, literals in taken.items():
        if worker in outside:
            for literal in literals:
                model.cp.add(literal == 0)
        model.cp.add_at_most_one(literals)


def _circuit(model: Model, r: int) -> None:
    """The duty's run: out from home, from stop to stop in time, and back; its travel and waits cost."""
    compiled, slots, weights = model.compiled, model.slots, model.compiled.problem.weights
    duty = compiled.duties[r]
    matrix = compiled.problem.travel.seconds_by_mode[compiled.workers[duty.worker].mode]
    mine = [item for item in model.rows if (item, r) in model.takes]
    stays = model.cp.new_bool_var("")
    arcs: list[tuple[int, int, cp_model.LiteralT]] = [(0, 0, stays)]
    inner: list[cp_model.LinearExprT] = []
    for number, item in enumerate(mine, start=1):
        n = model.rows[item]
        model.cp.add_implication(model.takes[item, r], stays.negated())
        first, last = model.cp.new_bool_var(""), model.cp.new_bool_var("")
        arcs += [(0, number, first), (number, 0, last), (number, number, model.takes[item, r].negated())]
        model.cp.add(model.starts[item] >= duty.start + int(slots.out[n, r])).only_enforce_if(first)
        home = int(slots.service[n] + slots.back[n, r])
        model.cp.add(model.starts[item] + home <= duty.end).only_enforce_if(last)
        model.cost.append(weights.travel * int(slots.out[n, r]) * first)
        model.cost.append(weights.travel * int(slots.back[n, r]) * last)
        for other, after in enumerate(mine, start=1):
            m = model.rows[after]
            leg = int(matrix[slots.place[n], slots.place[m]])
            gone = int(slots.service[n]) + leg
            if item[0] == after[0] or int(slots.earliest[n, r]) + gone > int(slots.latest[m, r]):
                continue
            arc = model.cp.new_bool_var("")
            arcs.append((number, other, arc))
            model.cp.add(model.starts[after] >= model.starts[item] + gone).only_enforce_if(arc)
            model.cost.append(weights.travel * leg * arc)
            inner.append(leg * arc)
    model.cp.add_circuit(arcs)
    if weights.waiting and mine:
        _waits(model, r, mine, inner)


def _waits(model: Model, r: int, mine: list[Item], inner: list[cp_model.LinearExprT]) -> None:
    """Waiting is what the time from the first start to the last end holds beside care and travel."""
    slots, duty = model.slots, model.compiled.duties[r]
    low, high = duty.start, duty.end
    begins, ends = model.cp.new_int_var(low, high, ""), model.cp.new_int_var(low, high, "")
    model.cp.add(begins <= ends)
    care: list[cp_model.LinearExprT] = []
    for item in mine:
        takes, service = model.takes[item, r], int(slots.service[model.rows[item]])
        model.cp.add(begins <= model.starts[item]).only_enforce_if(takes)
        model.cp.add(ends >= model.starts[item] + service).only_enforce_if(takes)
        care.append(service * takes)
    waits = model.cp.new_int_var(0, high - low, "")
    model.cp.add(waits >= ends - begins - cp_model.LinearExpr.sum(care) - cp_model.LinearExpr.sum(inner))
    model.cost.append(model.compiled.problem.weights.waiting * waits)


def _points(model: Model) -> None:
    """What the starts, the workers and the unfilled cost, and the worst lateness of these and of the other runs."""
    compiled, weights = model.compiled, model.compiled.problem.weights
    late: list[cp_model.IntVar] = []
    for item in model.rows:
        d, k = item
        demand, start = compiled.demands[d], model.starts[item]
        for r in model.duties:
            if (item, r) in model.takes:
                model.cost.append(compiled.soft_cost[d][k][compiled.duties[r].worker] * model.takes[item, r])
        if demand.due is not None:
            late.append(_over(model, d, start - demand.due))
            model.cost.append(weights.lateness * late[-1])
        if demand.preferred_start is not None and weights.off_preferred:
            for off in (start - demand.preferred_start, demand.preferred_start - start):
                model.cost.append(weights.off_preferred * _over(model, d, off))
    for d, present in model.present.items():
        model.cost.append(compiled.penalty[d] * (1 - present))
    if weights.lateness_worst and late:
        others = [start - (compiled.demands[d].due or start) for (d, _), start in model.fixed.items()]
        worst = model.cp.new_int_var(max(0, *others) if others else 0, 2**40, "")
        for each in late:
            model.cp.add(worst >= each)
        model.cost.append(weights.lateness_worst * worst)


def _over(model: Model, d: int, amount: Any) -> cp_model.IntVar:
    """The amount where it is above 0 and the visit is filled."""
    over = model.cp.new_int_var(0, 2**40, "")
    model.cp.add(over >= amount).only_enforce_if(model.present[d])
    return over


def _hint(model: Model) -> None:
    stops = model.stops
    for d, present in model.present.items():
        model.cp.add_hint(present, int((d, 0) in stops))
    for item, start in model.starts.items():
        if item in stops:
            model.cp.add_hint(start, stops[item][1])
    for (item, r), takes in model.takes.items():
        model.cp.add_hint(takes, int(item in stops and stops[item][0] == r))


def runs_of(*, model: Model, solver: cp_model.CpSolver) -> dict[int, Stops]:
    """All runs, those of the model's duties as CP-SAT left them."""
    runs = {r: run for r, run in model.runs.items() if r not in model.duties}
    for r in model.duties:
        mine = [item for item in model.rows if (item, r) in model.takes and solver.boolean_value(model.takes[item, r])]
        timed = sorted((solver.value(model.starts[item]), *item) for item in mine)
        if timed:
            runs[r] = tuple((d, k, start) for start, d, k in timed)
    return runs
