"""The CP-SAT model of a small problem: one circuit a duty, starts, pairs, points. It solves nothing itself."""

from __future__ import annotations

from collections import defaultdict
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
    """A model under construction: the slots by row, which visits are `present`, who `takes` a slot, when it `starts`."""

    compiled: Compiled
    slots: Slots
    rows: dict[Item, int]
    cp: cp_model.CpModel = field(default_factory=cp_model.CpModel)
    present: dict[int, cp_model.IntVar] = field(default_factory=dict)
    takes: dict[tuple[Item, int], cp_model.IntVar] = field(default_factory=dict)
    starts: dict[Item, cp_model.IntVar] = field(default_factory=dict)
    cost: list[cp_model.LinearExprT] = field(default_factory=list)

    @property
    def duties(self) -> range:
        """Every duty, by number."""
        return range(len(self.compiled.duties))


def build(*, compiled: Compiled, slots: Slots) -> Model:
    """The model of the whole problem: minimise points."""
    items = zip(slots.demand.tolist(), slots.number.tolist(), strict=True)
    model = Model(compiled=compiled, slots=slots, rows={item: n for n, item in enumerate(items)})
    _variables(model)
    for d in range(len(compiled.demands)):
        _pair(model, d)
    for r in model.duties:
        _circuit(model, r)
    _points(model)
    model.cp.minimize(cp_model.LinearExpr.sum(model.cost))
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
    """A double-up's starts lie as its sync says, with two workers."""
    demand = model.compiled.demands[d]
    if len(demand.slots) == 1:
        return
    apart = model.starts[d, 1] - model.starts[d, 0]
    model.cp.add(apart >= demand.sync.min_seconds).only_enforce_if(model.present[d])
    model.cp.add(apart <= demand.sync.max_seconds).only_enforce_if(model.present[d])
    taken: dict[int, list[cp_model.IntVar]] = defaultdict(list)
    for (item, r), takes in model.takes.items():
        if item[0] == d:
            taken[model.compiled.duties[r].worker].append(takes)
    for literals in taken.values():
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
    """What the starts, the workers and the unfilled cost, and the worst lateness."""
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
        worst = model.cp.new_int_var(0, 2**40, "")
        for each in late:
            model.cp.add(worst >= each)
        model.cost.append(weights.lateness_worst * worst)


def _over(model: Model, d: int, amount: Any) -> cp_model.IntVar:
    """The amount where it is above 0 and the visit is filled."""
    over = model.cp.new_int_var(0, 2**40, "")
    model.cp.add(over >= amount).only_enforce_if(model.present[d])
    return over


def runs_of(*, model: Model, solver: cp_model.CpSolver) -> dict[int, Stops]:
    """The runs of a solved model."""
    runs: dict[int, Stops] = {}
    for r in model.duties:
        mine = [item for item in model.rows if (item, r) in model.takes and solver.boolean_value(model.takes[item, r])]
        if mine:
            runs[r] = tuple((d, k, start) for start, d, k in sorted((solver.value(model.starts[i]), *i) for i in mine))
    return runs
