"""OR-Tools CP-SAT chooses the best set of runs out of those a search has seen; it invents none.

A run is a column of its duty; a visit's slot is in one chosen run or its visit is absent; the starts of anchored
visits (double-ups, a customer's close visits) agree between columns.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from ortools.sat.python import cp_model

from rostering.constraint import Span
from rostering.cp_sat import cp_solver
from rostering.search.compiled import Compiled
from rostering.search.recreate import Column
from rostering.search.runs import EMPTY
from rostering.search.state import SearchState

Literals = dict[int, cp_model.IntVar]


def recombine(
    *, compiled: Compiled, columns: Sequence[Column], hint: SearchState, seed: int, effort_seconds: int
) -> SearchState | None:
    """The cheapest roster made of these runs, or None when CP-SAT finds nothing in its effort.

    `effort_seconds` is CP-SAT's deterministic time on one thread, so the same input gives the same roster anywhere.
    The worst lateness is not weighed here; the caller compares whole objectives. Rules over several runs of one worker
    are not modelled: a choice that breaks one gives None.
    """
    model = cp_model.CpModel()
    chosen = [model.new_bool_var("") for _ in columns]
    absent = [model.new_bool_var("") for _ in compiled.demands]
    by_duty: dict[int, list[cp_model.IntVar]] = defaultdict(list)
    for literal, (r, _) in zip(chosen, columns, strict=True):
        by_duty[r].append(literal)
    for literals in by_duty.values():
        model.add_at_most_one(literals)
    starts = _cover(model, compiled, columns, chosen, absent)
    _keep_apart(model, compiled, starts)
    for d in range(len(compiled.demands)):
        if compiled.fixed[d]:
            model.add(absent[d] == int(d in hint.absent))
    costs = [run.cost for _, run in columns]
    model.minimize(
        sum(cost * literal for cost, literal in zip(costs, chosen, strict=True))
        + sum(penalty * literal for penalty, literal in zip(compiled.penalty, absent, strict=True))
    )
    _hint(model, columns, chosen, absent, hint)
    solver = cp_solver(seed=seed, effort_seconds=effort_seconds)
    solver.parameters.cp_model_presolve = False  # measured: twenty times as fast here, and to a better choice
    if solver.solve(model) not in (cp_model.OPTIMAL, cp_model.FEASIBLE):
        return None
    return _state(compiled, [c for c, literal in zip(columns, chosen, strict=True) if solver.boolean_value(literal)])


def _cover(
    model: cp_model.CpModel,
    compiled: Compiled,
    columns: Sequence[Column],
    chosen: list[cp_model.IntVar],
    absent: list[cp_model.IntVar],
) -> dict[int, dict[tuple[int, ...], cp_model.IntVar]]:
    """Each slot once or its visit absent; for anchored visits through one literal a set of starts, which it returns."""
    having: dict[tuple[int, int], list[tuple[int, cp_model.IntVar]]] = defaultdict(list)
    for literal, (_, run) in zip(chosen, columns, strict=True):
        for item, start in zip(run.items, run.times.starts, strict=True):
            having[item].append((start, literal))
    starts: dict[int, dict[tuple[int, ...], cp_model.IntVar]] = {}
    for d, demand in enumerate(compiled.demands):
        if not compiled.anchored[d]:
            model.add_exactly_one([literal for _, literal in having[d, 0]] + [absent[d]])
            continue
        options = _start_options(compiled, d, [sorted({s for s, _ in having[d, k]}) for k in range(len(demand.slots))])
        starts[d] = {option: model.new_bool_var("") for option in options}
        model.add_exactly_one([*starts[d].values(), absent[d]])
        for k in range(len(demand.slots)):
            for start in {s for s, _ in having[d, k]}:
                matching = [literal for option, literal in starts[d].items() if option[k] == start]
                model.add(sum(literal for s, literal in having[d, k] if s == start) == sum(matching))
    return starts


def _start_options(compiled: Compiled, d: int, by_slot: list[list[int]]) -> list[tuple[int, ...]]:
    if len(by_slot) == 1:
        return [(start,) for start in by_slot[0]]
    sync = compiled.demands[d].sync
    return [(a, b) for a in by_slot[0] for b in by_slot[1] if sync.min_seconds <= b - a <= sync.max_seconds]


def _span(compiled: Compiled, d: int, option: tuple[int, ...]) -> Span:
    services = [slot.service_seconds for slot in compiled.demands[d].slots]
    return min(option), max(start + service for start, service in zip(option, services, strict=True))


def _keep_apart(
    model: cp_model.CpModel, compiled: Compiled, starts: dict[int, dict[tuple[int, ...], cp_model.IntVar]]
) -> None:
    by_customer: dict[str, list[int]] = defaultdict(list)
    for d in starts:
        by_customer[compiled.demands[d].customer].append(d)
    for group in by_customer.values():
        for d in group:
            for other in group:
                if other == d:
                    continue
                for option, literal in starts[other].items():
                    blocked = compiled.blocked(d, {compiled.demands[other].id: _span(compiled, other, option)})
                    for mine, mine_literal in starts[d].items():
                        if any(a < mine[0] < b for a, b in blocked):
                            model.add_at_most_one([literal, mine_literal])


def _hint(
    model: cp_model.CpModel,
    columns: Sequence[Column],
    chosen: list[cp_model.IntVar],
    absent: list[cp_model.IntVar],
    hint: SearchState,
) -> None:
    for literal, (r, run) in zip(chosen, columns, strict=True):
        model.add_hint(literal, int(hint.runs[r] is run))
    for d, literal in enumerate(absent):
        model.add_hint(literal, int(d in hint.absent))


def _state(compiled: Compiled, columns: Sequence[Column]) -> SearchState | None:
    state = SearchState.empty(compiled=compiled)
    runs = dict(columns)
    if not state.days_allow(changed=runs):
        return None
    starts: dict[int, list[int]] = defaultdict(list)
    for r in range(len(compiled.duties)):
        run = runs.get(r, EMPTY)
        state.runs[r] = run
        for (d, k), start in zip(run.items, run.times.starts, strict=True):
            state.duty_of[d, k] = r
            state.absent.discard(d)
            starts[d].append(start)
            if compiled.anchored[d]:
                end = start + compiled.demands[d].slots[k].service_seconds
                was = state.spans.get(compiled.demands[d].id, (start, end))
                state.spans[compiled.demands[d].id] = min(was[0], start), max(was[1], end)
    return state
