"""When a search stops: small rules over its progress; they decide, they do not search."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """Where a search stands: iterations done, best objective so far, slots unfilled in it, iteration it was found.

    `legal`: whether what it stands at is a roster; a search that goes through illegal ones has none at first.
    """

    iterations: int
    objective: int
    unfilled: int
    improved_at: int
    legal: bool = True


class StopRule(Protocol):
    """Says whether to stop, given the progress. Rules that count only iterations make a solve repeatable.

    A rule may also have `share(progress) -> float`: how much of it is used up, 0 to 1 (see share_used).
    """

    def __call__(self, progress: Progress) -> bool:
        """True to stop now."""
        ...


def share_used(*, stop: StopRule, progress: Progress) -> float | None:
    """How much of the rule is used up, 0 to 1, which temperatures follow; None for a rule that cannot say."""
    share = getattr(stop, "share", None)
    return None if share is None else share(progress)


def seconds_limit(*, stop: StopRule) -> float | None:
    """The seconds of wall time that alone limit a search; None when it counts iterations or anything else as well."""
    if isinstance(stop, AnyOf):
        limits = [
            seconds_limit(stop=rule) for rule in stop.rules if not isinstance(rule, (Cancelled, FirstFeasible, Reached))
        ]
        return None if None in limits else min((limit for limit in limits if limit is not None), default=None)
    return stop.seconds_max if isinstance(stop, Seconds) and stop.clock is time.monotonic else None


@dataclass(frozen=True, slots=True)
class Iterations:
    """Stop after so many iterations: the same seed then gives the same roster on any machine."""

    iterations_max: int

    def __call__(self, progress: Progress) -> bool:
        """True once the iterations are used up."""
        return progress.iterations >= self.iterations_max

    def share(self, progress: Progress) -> float:
        """Iterations done of those allowed."""
        return min(1.0, progress.iterations / max(1, self.iterations_max))


@dataclass(slots=True)
class Seconds:
    """Stop after so many seconds of `clock` since this rule was made: not repeatable."""

    seconds_max: float
    clock: Callable[[], float] = time.monotonic
    _began: float = field(init=False)

    def __post_init__(self) -> None:
        self._began = self.clock()

    def __call__(self, progress: Progress) -> bool:  # noqa: ARG002 -- the shape of every rule
        """True once the time is used up."""
        return self.clock() - self._began >= self.seconds_max

    def share(self, progress: Progress) -> float:  # noqa: ARG002 -- the shape of every rule
        """Seconds gone of those allowed."""
        return min(1.0, (self.clock() - self._began) / max(1e-9, self.seconds_max))


@dataclass(frozen=True, slots=True)
class NoImprovement:
    """Stop when the best roster has stood for so many iterations."""

    iterations_max: int

    def __call__(self, progress: Progress) -> bool:
        """True when nothing better came for long enough."""
        return progress.iterations - progress.improved_at >= self.iterations_max


@dataclass(frozen=True, slots=True)
class FirstFeasible:
    """Stop at the first roster with at most `unfilled_max` unfilled slots."""

    unfilled_max: int = 0

    def __call__(self, progress: Progress) -> bool:
        """True once few enough slots are unfilled."""
        return progress.legal and progress.unfilled <= self.unfilled_max


@dataclass(frozen=True, slots=True)
class Reached:
    """Stop at a roster that costs no more than `points`: of a bound below every roster, nothing can be better."""

    points: int

    def __call__(self, progress: Progress) -> bool:
        """True once the best is that good."""
        return progress.legal and progress.objective <= self.points


@dataclass(frozen=True, slots=True)
class Cancelled:
    """Stop when the caller's `asked` says so; the best roster so far is kept."""

    asked: Callable[[], bool]

    def __call__(self, progress: Progress) -> bool:  # noqa: ARG002 -- the shape of every rule
        """True when asked to stop."""
        return self.asked()


@dataclass(frozen=True, slots=True)
class AnyOf:
    """Stop when any of the rules says so."""

    rules: tuple[StopRule, ...]

    def __call__(self, progress: Progress) -> bool:
        """True when one of the rules is."""
        return any(rule(progress) for rule in self.rules)

    def share(self, progress: Progress) -> float | None:
        """The largest share of its rules: the first to stop sets the pace. None when no rule can say."""
        shares = [share_used(stop=rule, progress=progress) for rule in self.rules]
        return max((share for share in shares if share is not None), default=None)
