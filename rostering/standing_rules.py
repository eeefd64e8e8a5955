"""The rules of one problem, asked cheaply again and again: who may do a visit and when it may start. Not how a roster stands."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from rostering.constraint import Encoding, Span
from rostering.constraints import CONSTRAINTS
from rostering.lines import LegsOf
from rostering.problem import Demand, Problem


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The rules of one problem as cheap questions, each answered once where the answer does not change."""

    problem: Problem
    encodings: tuple[Encoding, ...]
    demands: Mapping[str, Demand]
    siblings: Mapping[str, tuple[str, ...]]
    legs_of: LegsOf
    _pairs: dict[tuple[str, int], frozenset[str]] = field(default_factory=dict)
    _starts: dict[str, tuple[Span, ...]] = field(default_factory=dict)
    _spaced: dict[str, bool] = field(default_factory=dict)

    @classmethod
    def of(cls, *, problem: Problem) -> Rules:
        """The rules of the problem."""
        by_customer: defaultdict[str, list[str]] = defaultdict(list)
        for demand in problem.demands:
            by_customer[demand.customer].append(demand.id)
        return cls(
            problem=problem,
            encodings=tuple(rule.encode(problem) for rule in CONSTRAINTS),
            demands=problem.demand_by_id(),
            siblings={customer: tuple(ids) for customer, ids in by_customer.items()},
            legs_of=LegsOf(travel=problem.travel),
        )

    def able(self, demand: Demand, slot: int) -> frozenset[str]:
        """Workers whom nothing about themselves or the visit keeps from the slot."""
        found = self._pairs.get((demand.id, slot))
        if found is None:
            asks = [encoding.pair for encoding in self.encodings if encoding.pair]
            who = (w.id for w in self.problem.workers if all(ask(demand, slot, w) for ask in asks))
            found = self._pairs[demand.id, slot] = frozenset(who)
        return found

    def starts(self, demand: Demand) -> tuple[Span, ...]:
        """Spans of starts that every rule leaves for the visit by itself, in order; empty when they contradict."""
        found = self._starts.get(demand.id)
        if found is None:
            found = self._starts[demand.id] = legal_starts(encodings=self.encodings, demand=demand)
        return found

    def is_spaced(self, demand: Demand) -> bool:
        """Whether the visit must keep a distance from others of its customer, or from its other half."""
        found = self._spaced.get(demand.id)
        if found is None:
            found = any(e.anchored(demand) for e in self.encodings if e.anchored)
            self._spaced[demand.id] = found
        return found

    def blocked(self, demand: Demand, spans: Mapping[str, Span]) -> list[Span]:
        """Starts (ends excluded) that the visit may not take, given where its customer's others are."""
        return [span for e in self.encodings if e.blocked for span in e.blocked(demand, spans)]


def legal_starts(*, encodings: Sequence[Encoding], demand: Demand) -> tuple[Span, ...]:
    """The windows that every rule leaves for the visit's start, in order; empty when they contradict."""
    left: list[Span] | None = None
    for encoding in encodings:
        if encoding.starts is not None:
            spans = [(window.earliest, window.latest) for window in encoding.starts(demand)]
            left = spans if left is None else met(left, spans)
    return tuple(sorted(set(left or [])))


def met(some: Iterable[Span], others: Sequence[Span]) -> list[Span]:
    """Where two lists of spans overlap."""
    pairs = [(max(a[0], b[0]), min(a[1], b[1])) for a in some for b in others]
    return [(lo, hi) for lo, hi in pairs if lo <= hi]


def clear_of(spans: Iterable[Span], blocked: Sequence[Span]) -> list[Span]:
    """The spans with what is blocked cut out; a blocked span's own two ends stay free."""
    left = list(spans)
    for a, b in blocked:
        cut = [piece for lo, hi in left for piece in ((lo, min(hi, a)), (max(lo, b), hi))]
        left = sorted({piece for piece in cut if piece[0] <= piece[1]})
    return left
