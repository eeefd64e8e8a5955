"""A roster while it is being searched: runs by duty, anchored spans, and who is out; cheap to copy, undone by copying."""

from __future__ import annotations

from dataclasses import dataclass

from rostering.constraint import Span
from rostering.search.compiled import Compiled
from rostering.search.runs import EMPTY, RunState, timed


@dataclass(slots=True, kw_only=True)
class SearchState:
    """runs[r] is the run of duty r; spans are of anchored visits that are placed; duty_of[(d, k)] where a slot is."""

    compiled: Compiled
    runs: list[RunState]
    spans: dict[str, Span]
    duty_of: dict[tuple[int, int], int]
    absent: set[int]

    @classmethod
    def empty(cls, *, compiled: Compiled) -> SearchState:
        """Nobody goes anywhere."""
        runs = [EMPTY] * len(compiled.duties)
        return cls(compiled=compiled, runs=runs, spans={}, duty_of={}, absent=set(range(len(compiled.demands))))

    def copy(self) -> SearchState:
        """A state that can be changed without changing this one."""
        return SearchState(
            compiled=self.compiled,
            runs=self.runs[:],
            spans=self.spans.copy(),
            duty_of=self.duty_of.copy(),
            absent=self.absent.copy(),
        )

    def objective(self) -> int:
        """Points: cost of every run, the worst lateness, and a penalty for each absent visit."""
        worst = max((run.late_worst for run in self.runs), default=0)
        total = sum(run.cost for run in self.runs) + self.compiled.problem.weights.lateness_worst * worst
        return total + sum(self.compiled.penalty[d] for d in self.absent)

    def unfilled_slots(self) -> int:
        """How many slots nobody has."""
        return sum(len(self.compiled.demands[d].slots) for d in self.absent)

    def days_allow(self, *, changed: dict[int, RunState]) -> bool:
        """Whether the workers of the changed duties may work all their runs together."""
        compiled = self.compiled
        for w in {compiled.duties[r].worker for r in changed}:
            runs = [
                changed.get(r, self.runs[r]).times for r in compiled.duties_of[w] if changed.get(r, self.runs[r]).items
            ]
            if not all(rule(compiled.workers[w], runs) for rule in compiled.days_rules):
                return False
        return True

    def with_stop(self, *, r: int, at: int, d: int, k: int, lo: int, hi: int) -> RunState | None:
        """Run r with slot (d, k) put in at position `at`, or None when that breaks a rule of the run."""
        run = self.runs[r]
        return timed(
            compiled=self.compiled,
            r=r,
            items=(*run.items[:at], (d, k), *run.items[at:]),
            lo=(*run.lo[:at], lo, *run.lo[at:]),
            hi=(*run.hi[:at], hi, *run.hi[at:]),
        )

    def place(self, *, d: int, changed: dict[int, RunState], slots: dict[int, int], span: Span | None) -> bool:
        """Put visit d in (slot -> duty) with the changed runs; False, and nothing changed, if workers' days forbid."""
        if not self.days_allow(changed=changed):
            return False
        for r, run in changed.items():
            self.runs[r] = run
        for k, r in slots.items():
            self.duty_of[d, k] = r
        if span is not None:
            self.spans[self.compiled.demands[d].id] = span
        self.absent.discard(d)
        return True

    def remove(self, *, gone: set[int]) -> bool:
        """Take visits out; False, and nothing changed, when what is left of a run would break a rule."""
        changed: dict[int, RunState] = {}
        for r in sorted({self.duty_of[d, k] for d in gone for k in range(len(self.compiled.demands[d].slots))}):
            run = self.runs[r]
            keep = [i for i, (d, _) in enumerate(run.items) if d not in gone]
            left = timed(
                compiled=self.compiled,
                r=r,
                items=[run.items[i] for i in keep],
                lo=[run.lo[i] for i in keep],
                hi=[run.hi[i] for i in keep],
            )
            if left is None:
                return False
            changed[r] = left
        if not self.days_allow(changed=changed):
            return False
        for r, run in changed.items():
            self.runs[r] = run
        for d in gone:
            for k in range(len(self.compiled.demands[d].slots)):
                del self.duty_of[d, k]
            self.spans.pop(self.compiled.demands[d].id, None)
        self.absent |= gone
        return True
