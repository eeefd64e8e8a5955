"""Every slot beside every duty as numbers: may it be done there, and between which starts. A relaxation, not a search.

Rules over several stops (breaks, rest, gaps between visits, capacity) are left out: what is impossible here is
impossible in any roster, not the other way round.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from rostering.problem import TIME_MAX, Worker
from rostering.search.compiled import Compiled

Ints = np.ndarray[Any, np.dtype[np.int64]]
Bools = np.ndarray[Any, np.dtype[np.bool_]]
NEVER = 4 * TIME_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class Slots:
    """N slots by R duties. `demand`, `number`, `place`, `service` are of the slot.

    `able[n, r]`: the worker of the duty may take it and can be there and back in time, between the starts
    `earliest[n, r]` and `latest[n, r]` (NEVER and -NEVER where not able), by whatever way. `mode`, `worker` are of the duty; `out`,
    `back` [n, r] the travel from the duty's home and to where it ends (0 where journeys from home do not count).
    """

    demand: Ints
    number: Ints
    place: Ints
    service: Ints
    able: Bools
    earliest: Ints
    latest: Ints
    out: Ints
    back: Ints
    worker: Ints
    mode: tuple[str, ...]
    begin: Ints
    end: Ints

    def of(self, *, rows: Ints, duties: Ints) -> Slots:
        """The same for some slots and duties only."""
        cross = np.ix_(rows, duties)
        return Slots(
            demand=self.demand[rows],
            number=self.number[rows],
            place=self.place[rows],
            service=self.service[rows],
            able=self.able[cross],
            earliest=self.earliest[cross],
            latest=self.latest[cross],
            out=self.out[cross],
            back=self.back[cross],
            worker=self.worker[duties],
            mode=tuple(self.mode[r] for r in duties.tolist()),
            begin=self.begin[duties],
            end=self.end[duties],
        )


def slots_by_time(*, compiled: Compiled) -> Iterator[Slots]:
    """The slots in stretches of time that no window and no duty crosses (the days of a week), each with its duties."""
    reach: list[tuple[int, int, int, int]] = []
    for r, duty in enumerate(compiled.duties):
        extra = compiled.workers[duty.worker].overtime_seconds_max
        reach.append((duty.start, duty.end + extra, -1, r))
    for d, demand in enumerate(compiled.demands):
        spans = [span for k in range(len(demand.slots)) for span in _spans(compiled, d, k)]
        if not spans:
            yield slots_of(compiled=compiled, demands=[d], duties=[])
            continue
        reach.append((min(low for low, _ in spans), max(high for _, high in spans), d, -1))
    demands: list[int] = []
    duties: list[int] = []
    until: int | None = None
    for start, end, d, r in sorted(reach):
        if until is not None and start > until:
            yield slots_of(compiled=compiled, demands=sorted(demands), duties=sorted(duties))
            demands, duties, until = [], [], None
        until = end if until is None else max(until, end)
        (demands if d >= 0 else duties).append(max(d, r))
    if until is not None:
        yield slots_of(compiled=compiled, demands=sorted(demands), duties=sorted(duties))


def slots_of(*, compiled: Compiled, demands: Sequence[int] | None = None, duties: Sequence[int] | None = None) -> Slots:
    """The slots of these visits (default: all), in order of demand and number, beside these duties (default: all)."""
    chosen = range(len(compiled.demands)) if demands is None else demands
    pairs = [(d, k) for d in chosen for k in range(len(compiled.demands[d].slots))]
    numbers = list(range(len(compiled.duties)) if duties is None else duties)
    column = {r: at for at, r in enumerate(numbers)}
    eligible = np.zeros((len(pairs), len(numbers)), dtype=np.bool_)
    for n, (d, k) in enumerate(pairs):
        eligible[n, [column[r] for r in compiled.eligible[d][k] if r in column]] = True
    place = np.array([compiled.demands[d].place for d, _ in pairs], dtype=np.int64)
    service = np.array([compiled.demands[d].slots[k].service_seconds for d, k in pairs], dtype=np.int64)
    own = [compiled.duties[r] for r in numbers]
    workers = [compiled.workers[duty.worker] for duty in own]
    out, back = _home_legs(compiled, place, workers)
    soonest, home_soonest = _quickest(compiled, place, service, workers)
    begin = np.array([duty.start for duty in own], dtype=np.int64)
    end = np.array([x.end + w.overtime_seconds_max for x, w in zip(own, workers, strict=True)], dtype=np.int64)
    earliest, latest = _starts(
        compiled, pairs, begin[None, :] + soonest, end[None, :] - home_soonest - service[:, None]
    )
    able = eligible & (earliest <= latest)
    return Slots(
        demand=np.array([d for d, _ in pairs], dtype=np.int64),
        number=np.array([k for _, k in pairs], dtype=np.int64),
        place=place,
        service=service,
        able=able,
        earliest=np.where(able, earliest, NEVER),
        latest=np.where(able, latest, -NEVER),
        out=out,
        back=back,
        worker=np.array([duty.worker for duty in own], dtype=np.int64),
        mode=tuple(worker.mode for worker in workers),
        begin=begin,
        end=end,
    )


def _home_legs(compiled: Compiled, place: Ints, workers: Sequence[Worker]) -> tuple[Ints, Ints]:
    """Travel from home to each slot and back to where the day ends, in the worker's mode."""
    out = np.zeros((len(place), len(workers)), dtype=np.int64)
    back = np.zeros_like(out)
    for r, worker in enumerate(workers):
        matrix = compiled.problem.travel.seconds_by_mode[worker.mode]
        if worker.home is not None:
            out[:, r] = matrix[worker.home, place]
        if worker.home is not None and worker.last_place is not None:
            back[:, r] = matrix[place, worker.last_place]
    return out, back


def _quickest(compiled: Compiled, place: Ints, service: Ints, workers: Sequence[Worker]) -> tuple[Ints, Ints]:
    """Least time from leaving home to each slot, and from its end to the end of the day, by way of others if quicker.

    Travel need not be metric: the way through another visit, with its service, may be shorter than the direct one.
    """
    spots, at = np.unique(place, return_inverse=True)
    brief = np.full(len(spots), TIME_MAX, dtype=np.int64)
    np.minimum.at(brief, at, service)
    out = np.zeros((len(place), len(workers)), dtype=np.int64)
    back = np.zeros_like(out)
    known: dict[tuple[str, int, bool], Ints] = {}
    tables: dict[tuple[str, bool], Ints] = {}
    for r, worker in enumerate(workers):
        for side, end, forth in ((out, worker.home, True), (back, worker.last_place, False)):
            if worker.home is None or end is None or not len(spots):
                continue
            key = (worker.mode, end, forth)
            if key not in known:
                matrix = compiled.problem.travel.seconds_by_mode[worker.mode]
                matrix = matrix if forth else matrix.T
                if (worker.mode, forth) not in tables:
                    tables[worker.mode, forth] = matrix[np.ix_(spots, spots)]
                known[key] = _by_way(matrix[end, spots], tables[worker.mode, forth], brief)
            side[:, r] = known[key][at]
    return out, back


def _by_way(direct: Ints, between: Ints, brief: Ints) -> Ints:
    """Shortest times to each spot, given the direct ones, where passing through a spot takes its `brief` service."""
    times = direct.copy()
    while True:
        leave = times + brief
        late = np.flatnonzero(times > leave.min())
        early = np.flatnonzero(leave < times.max())
        if not len(late) or not len(early):
            return times
        quicker = np.minimum(times[late], (leave[early, None] + between[np.ix_(early, late)]).min(axis=0))
        if (quicker == times[late]).all():
            return times
        times[late] = quicker


def _starts(compiled: Compiled, pairs: list[tuple[int, int]], ready: Ints, limit: Ints) -> tuple[Ints, Ints]:
    """First and last legal start of each slot in each duty; the first above the last where there is none."""
    spans = [_spans(compiled, d, k) for d, k in pairs]
    first = np.full(ready.shape, NEVER, dtype=np.int64)
    last = np.full(ready.shape, -NEVER, dtype=np.int64)
    for number in range(max((len(each) for each in spans), default=0)):
        opens = np.array([each[number][0] if number < len(each) else NEVER for each in spans], dtype=np.int64)
        closes = np.array([each[number][1] if number < len(each) else -NEVER for each in spans], dtype=np.int64)
        earliest, latest = np.maximum(opens[:, None], ready), np.minimum(closes[:, None], limit)
        good = earliest <= latest
        first = np.where(good & (earliest < first), earliest, first)
        last = np.where(good & (latest > last), latest, last)
    return first, last


def _spans(compiled: Compiled, d: int, k: int) -> list[tuple[int, int]]:
    """Legal starts of a slot: the windows are the first slot's, the second follows it."""
    spans = list(compiled.windows[d])
    sync = compiled.demands[d].sync
    if k == 0 or not spans:
        return spans
    if sync.independent:
        return [(-TIME_MAX, TIME_MAX)]
    return [(start + sync.min_seconds, end + sync.max_seconds) for start, end in spans]
