"""What keeps each worker from a visit in a roster as it stands, nearest first: the rule and the sentence. It changes nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from rostering.constraint import Span
from rostering.constraints import CONSTRAINTS
from rostering.gaps import can_both_be
from rostering.lines import Line, Place, calm_span, line_of, places_in, pushed, starts_to_try
from rostering.problem import Demand, Worker
from rostering.roster import Nearest, Unfilled
from rostering.standing import Standing

NEAREST_MAX = 3
BY_RULE, BY_RUN, BY_SHIFT, BY_NATURE = 1, 2, 3, 4
"""How near a worker came: a rule of the whole forbids it; their run; even alone their shifts do; who they are does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """What keeps one worker from the slot, how near they came (smaller is nearer), and seconds from their home."""

    near: int
    home_seconds: int
    nearest: Nearest


def blocks(*, standing: Standing, demand: Demand, slot: int) -> list[Block]:
    """The block of every worker who cannot take the slot in the roster as it stands, nearest first, then nearest home."""
    spans = standing.spans_for(demand=demand, slot=slot)
    found = [_block(standing, demand, slot, worker, spans) for worker in standing.rules.problem.workers]
    return sorted(found, key=lambda block: (block.near, block.home_seconds, block.nearest.worker))


def unfilled_of(
    *, standing: Standing, missing: Sequence[tuple[Demand, int]], leave_out: Collection[str] = ()
) -> tuple[Unfilled, ...]:
    """Each missing (demand, slot) with its reason and the nearest workers; those in `leave_out` are not spoken of."""
    return tuple(_unfilled(standing, demand, slot, leave_out) for demand, slot in missing)


def _unfilled(standing: Standing, demand: Demand, slot: int, leave_out: Collection[str]) -> Unfilled:
    found = [b for b in blocks(standing=standing, demand=demand, slot=slot) if b.nearest.worker not in leave_out]
    nearest = tuple(block.nearest for block in found[:NEAREST_MAX])
    away = [pin for pin in demand.pinned_workers if pin in leave_out]
    reason = f"pinned to {away[0]}, who is away: free the pin" if away else _reason(standing, demand, found)
    return Unfilled(visit=demand.id, slot=slot, reason=reason, nearest=nearest)


def _reason(standing: Standing, demand: Demand, found: Sequence[Block]) -> str:
    if not found:
        return "there are no workers"
    if not standing.rules.starts(demand):
        return "its windows and its pinned start contradict each other: no start is legal"
    rival = _contradicting(standing, demand)
    if rival is not None:
        return f"its times and those of the customer's visit {rival} contradict the gap between them (visit_gap)"
    counts = Counter(block.nearest.rule for block in found)
    said = ", ".join(f"{rule} blocks {count}" for rule, count in sorted(counts.items(), key=lambda c: (-c[1], c[0])))
    if found[0].near >= BY_SHIFT:
        return f"impossible: no worker could do it even with an empty day ({said})"
    if found[0].near == BY_RUN:
        return f"every worker who could do it is taken ({said})"
    return f"someone could do one part of it but not together with the rest ({said})"


def _contradicting(standing: Standing, demand: Demand) -> str | None:
    """A visit of the same customer that is in the roster and leaves this one no start, wherever within its windows it is moved."""
    starts = standing.rules.starts
    for other in standing.rules.problem.demands:
        if other.customer != demand.customer or other.id == demand.id or standing.missing(demand=other):
            continue
        if not can_both_be(one=demand, other=other, one_starts=starts(demand), other_starts=starts(other)):
            return other.id
    return None


def _block(standing: Standing, demand: Demand, slot: int, worker: Worker, spans: list[Span]) -> Block:
    near, rule, sentence = _blocked_by(standing, demand, slot, worker, spans)
    home = 0 if worker.home is None else standing.rules.legs_of(worker.mode, demand.place).into[worker.home]
    return Block(near=near, home_seconds=home, nearest=Nearest(worker=worker.id, rule=rule, sentence=sentence))


def _blocked_by(
    standing: Standing, demand: Demand, slot: int, worker: Worker, spans: list[Span]
) -> tuple[int, str, str]:
    rules, who = standing.rules, worker.id
    for rule, encoding in zip(CONSTRAINTS, rules.encodings, strict=True):
        if encoding.pair is not None and not encoding.pair(demand, slot, worker):
            return BY_NATURE, rule.name, f"{who} is ruled out by {rule.name}"
    raw = _raw_spans(standing, demand, slot)
    lines = [(number, standing.lines[number]) for number in standing.lines_of_worker[who]]
    if not any(_places(standing, demand, slot, number, _emptied(standing, line), raw) for number, line in lines):
        return BY_SHIFT, "availability", f"{who} cannot get there, serve and be home within their shifts"
    if not any(_places(standing, demand, slot, number, line, raw) for number, line in lines):
        need = demand.slots[slot].service_seconds // 60
        sentence = f"{who} has no gap of {need} min and the journeys in their run, even moving visits in their windows"
        return BY_RUN, "travel_feasible", sentence
    mine = [(line, place) for n, line in lines for place in _places(standing, demand, slot, n, line, spans)]
    if not mine:
        rule_name = (
            "double_up_together" if standing.missing(demand=demand) == (slot,) and slot_is_half(demand) else "visit_gap"
        )
        return BY_RULE, rule_name, f"{who} has a gap, but too close to the customer's other visits ({rule_name})"
    rule_name = _rule_of(standing, demand, slot, mine)
    return BY_RULE, rule_name, f"{who} has a gap, but {rule_name} forbids it"


def slot_is_half(demand: Demand) -> bool:
    """Whether the visit's two slots depend on each other."""
    return len(demand.slots) == 2 and not demand.sync.independent


def _raw_spans(standing: Standing, demand: Demand, slot: int) -> list[Span]:
    """Starts that the visit's own windows allow the slot, wherever anything else stands."""
    spans = list(standing.rules.starts(demand))
    if slot and slot_is_half(demand):
        return [(lo + demand.sync.min_seconds, hi + demand.sync.max_seconds) for lo, hi in spans]
    return spans


def _emptied(standing: Standing, line: Line) -> Line:
    return line_of(
        worker=line.worker,
        start=line.start,
        end=line.end,
        stops=(),
        give=standing.give,
        legs_of=standing.rules.legs_of,
    )


def _places(standing: Standing, demand: Demand, slot: int, number: int, line: Line, spans: list[Span]) -> list[Place]:
    legs = standing.rules.legs_of(line.worker.mode, demand.place)
    service = demand.slots[slot].service_seconds
    return list(places_in(line=line, number=number, legs=legs, service_seconds=service, spans=spans))


def _rule_of(standing: Standing, demand: Demand, slot: int, mine: list[tuple[Line, Place]]) -> str:
    """The rule that forbids every place of the worker; of double-ups the other half, when no rule does."""
    service = demand.slots[slot].service_seconds
    blame = "double_up_together"
    for line, place in mine:
        calm = calm_span(line=line, place=place, service_seconds=service)
        for start in starts_to_try(place=place, calm=calm, wanted=demand.preferred_start):
            others = pushed(line=line, place=place, start=start, service_seconds=service)
            stops = [(d, k, at) for (d, k, _), at in zip(line.stops, others, strict=True)]
            stops.insert(place.at, (demand, slot, start))
            name = standing.forbidden_by(number=place.number, stops=tuple(stops))
            if name is None:
                return "double_up_together" if slot_is_half(demand) else "visit_gap"
            blame = name
    return blame
