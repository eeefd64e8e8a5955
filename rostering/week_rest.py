"""Daily and weekly rest settled before a week is solved: which shift gives way, which day is off. No search, no roster."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from rostering.problem import SECONDS_PER_DAY, Problem, Shift, Worker

DAYS_IN_WEEK = 7
WEEK_SECONDS = DAYS_IN_WEEK * SECONDS_PER_DAY
BUCKET_SECONDS = 1_800
PIN_WORTH = 1_000.0


@dataclass(frozen=True, slots=True)
class Hours:
    """How much a worker is wanted in each half hour: seconds of care that want serving per worker on duty; and pins."""

    worth: Mapping[int, float]
    pinned: Mapping[str, tuple[int, ...]]

    @classmethod
    def wanted(cls, *, problem: Problem) -> Hours:
        """From the visits' middles and the shifts of all."""
        care: dict[int, int] = {}
        pinned: dict[str, tuple[int, ...]] = {}
        for demand in problem.demands:
            first, last = min(w.earliest for w in demand.windows), max(w.latest for w in demand.windows)
            at = (first + last) // 2 if demand.pinned_start is None else demand.pinned_start
            bucket = at // BUCKET_SECONDS
            care[bucket] = care.get(bucket, 0) + sum(slot.service_seconds for slot in demand.slots)
            for name in demand.pinned_workers:
                pinned[name] = (*pinned.get(name, ()), bucket)
        on: dict[int, int] = {}
        for worker in problem.workers:
            for shift in worker.shifts:
                for bucket in _buckets(shift.start, shift.end):
                    on[bucket] = on.get(bucket, 0) + 1
        return cls({bucket: seconds / max(1, on.get(bucket, 0)) for bucket, seconds in care.items()}, pinned)

    def lost(self, *, worker: Worker, shifts: Iterable[Shift]) -> float:
        """What is lost if the worker does not work these times."""
        buckets = {bucket for shift in shifts for bucket in _buckets(shift.start, shift.end)}
        pins = sum(bucket in buckets for bucket in self.pinned.get(worker.id, ()))
        return sum(self.worth.get(bucket, 0.0) for bucket in buckets) + pins * PIN_WORTH * BUCKET_SECONDS


def _buckets(start: int, end: int) -> range:
    return range(start // BUCKET_SECONDS, -(-end // BUCKET_SECONDS))


def rested(
    *, problem: Problem, worker: Worker, by_day: Mapping[int, Sequence[Shift]], hours: Hours
) -> dict[int, tuple[Shift, ...]]:
    """The shifts by day, trimmed so that whoever works all of what is left has every daily and weekly rest."""
    days = {number: tuple(shifts) for number, shifts in by_day.items()}
    for week in whole_weeks(problem=problem):
        _give_day_off(worker, days, week, hours)
    working = [number for number, shifts in sorted(days.items()) if shifts]
    for one, next_ in pairwise(working):
        _give_night(worker, days, one, next_, hours)
    return days


def whole_weeks(*, problem: Problem) -> range:
    """The starts of the whole weeks of the horizon: each has a weekly rest."""
    horizon = problem.horizon
    return range(horizon.start, horizon.end - WEEK_SECONDS + 1, WEEK_SECONDS)


def _give_day_off(worker: Worker, days: dict[int, tuple[Shift, ...]], week: int, hours: Hours) -> None:
    """Empty the fewest neighbouring days, the least wanted ones first, that leave a weekly rest."""
    if _longest_hole(worker, days.values(), week) >= worker.weekly_rest_seconds:
        return
    numbers = [number for number in sorted(days) if week <= number * SECONDS_PER_DAY < week + WEEK_SECONDS]
    for length in range(1, len(numbers) + 1):
        choices = [numbers[at : at + length] for at in range(len(numbers) - length + 1)]
        choices.sort(key=lambda some: hours.lost(worker=worker, shifts=[s for n in some for s in days[n]]))
        for some in choices:
            left = [shifts for number, shifts in days.items() if number not in some]
            if _longest_hole(worker, left, week) >= worker.weekly_rest_seconds:
                days.update(dict.fromkeys(some, ()))
                return
    days.update(dict.fromkeys((n for n in days if _meets(worker, days[n], week)), ()))


def _meets(worker: Worker, shifts: Sequence[Shift], week: int) -> bool:
    return any(s.start < week + WEEK_SECONDS and s.end + worker.overtime_seconds_max > week for s in shifts)


def _longest_hole(worker: Worker, days: Iterable[Sequence[Shift]], week: int) -> int:
    out = [(shift.start, shift.end + worker.overtime_seconds_max) for shifts in days for shift in shifts]
    return longest_hole(out=out, week=week)


def longest_hole(*, out: Iterable[tuple[int, int]], week: int) -> int:
    """The longest unbroken time of the week from `week` that meets none of the times out (start, end)."""
    free, longest = week, 0
    for start, end in sorted(out):
        if end > week and start < week + WEEK_SECONDS:
            longest, free = max(longest, start - free), max(free, end)
    return max(longest, week + WEEK_SECONDS - free)


def _give_night(worker: Worker, days: dict[int, tuple[Shift, ...]], one: int, next_: int, hours: Hours) -> None:
    """Trim the evening of day `one` or the morning of day `next_`, whichever is less wanted, to the daily rest."""
    if not days[one] or not days[next_]:
        return
    overtime = worker.overtime_seconds_max
    back, leave = max(s.end for s in days[one]) + overtime, min(s.start for s in days[next_])
    if leave - back >= worker.daily_rest_seconds:
        return
    latest, earliest = leave - worker.daily_rest_seconds - overtime, back + worker.daily_rest_seconds
    evening = hours.lost(worker=worker, shifts=cut(shifts=days[one], since=latest))
    morning = hours.lost(worker=worker, shifts=cut(shifts=days[next_], until=earliest))
    if evening <= morning:
        days[one] = cut(shifts=days[one], until=latest)
    else:
        days[next_] = cut(shifts=days[next_], since=earliest)


def cut(*, shifts: Sequence[Shift], since: int | None = None, until: int | None = None) -> tuple[Shift, ...]:
    """What is left of the shifts between `since` and `until`."""
    left = [
        Shift(s.start if since is None else max(s.start, since), s.end if until is None else min(s.end, until))
        for s in shifts
    ]
    return tuple(shift for shift in left if shift.start < shift.end)


def needs_day_off(*, problem: Problem, worker: Worker, out: Sequence[tuple[int, int]], today: Sequence[Shift]) -> bool:
    """Whether working all of `today` besides the times `out` would leave a whole week without its weekly rest."""
    more = [*out, *((shift.start, shift.end + worker.overtime_seconds_max) for shift in today)]
    return any(longest_hole(out=more, week=week) < worker.weekly_rest_seconds for week in whole_weeks(problem=problem))
