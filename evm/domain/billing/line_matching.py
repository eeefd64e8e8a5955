"""Which planned visit a claim line means that names none: by customer, slot and nearest start, all lines together. Not whether the line is
paid (checks.py) and not the matching of evidence (evm.domain.matching).

A line that starts exactly when a visit of its customer is planned means that one. The rest are assigned, for each customer and slot, to the
visits that no other line means: most pairs first, then the smallest sum of |claimed start - planned start|. Two lines never cross (the
earlier line means the earlier visit): uncrossing two pairs is always allowed and never costs more, so this loses nothing. Where two visits
fit a line equally well, the line is unclear, and a person decides."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from evm.domain.billing.invoice import ClaimLine
from evm.domain.ids import CustomerId, VisitId
from evm.domain.period import seconds_between
from evm.domain.plan import PlannedVisit

Slot = tuple[VisitId, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Meant:
    """The visit a line means; None: no visit fits, or several do equally well (`rivals`, at least two). `exact`: it starts at that very
    instant."""

    visit: VisitId | None = None
    exact: bool = False
    rivals: tuple[VisitId, ...] = ()


def meant_visits(
    *,
    lines: Sequence[ClaimLine],
    planned: Mapping[VisitId, PlannedVisit],
    before_minutes: int = 60,
    after_minutes: int = 120,
) -> dict[int, Meant]:
    """By line number, for every line that names no visit. A line may mean a visit that is planned less than `after_minutes` before its
    start, or at most `before_minutes` after it. The same lines and visits in any order give the same answer."""
    unnamed = sorted((line for line in lines if line.visit is None), key=lambda line: (line.start, line.line_no))
    if not unnamed:
        return {}
    taken: set[Slot] = {(line.visit, line.slot) for line in lines if line.visit is not None}
    visits = _by_customer(planned)
    at_once = _by_start(visits)
    found: dict[int, Meant] = {}
    for line in unnamed:
        exact = _exact(line, at_once.get((line.customer, line.start), ()), taken)
        if exact is not None:
            taken.add((exact, line.slot))
            found[line.line_no] = Meant(visit=exact, exact=True)
    window = (timedelta(minutes=before_minutes), timedelta(minutes=after_minutes))
    for (customer, slot), rest in _by_customer_and_slot(unnamed, found).items():
        free = [each for each in visits.get(customer, ()) if _is_free(each, slot, taken)]
        for some, fitting in _groups(rest, free, window):
            found.update(_Alignment(some, fitting, window).meant())
    return found


def _by_customer(planned: Mapping[VisitId, PlannedVisit]) -> dict[CustomerId, list[PlannedVisit]]:
    """Each customer's visits by start; at one start those that stand before those that were cancelled, then by id."""
    found: dict[CustomerId, list[PlannedVisit]] = defaultdict(list)
    for visit in sorted(planned.values(), key=lambda visit: (visit.start, visit.cancelled is not None, visit.visit_id)):
        found[visit.customer_id].append(visit)
    return found


def _by_start(
    visits: Mapping[CustomerId, Sequence[PlannedVisit]],
) -> dict[tuple[CustomerId, datetime], list[PlannedVisit]]:
    found: dict[tuple[CustomerId, datetime], list[PlannedVisit]] = defaultdict(list)
    for customer, theirs in visits.items():
        for visit in theirs:
            found[customer, visit.start].append(visit)
    return found


def _exact(line: ClaimLine, same: Sequence[PlannedVisit], taken: Collection[Slot]) -> VisitId | None:
    """Of the visits planned at that very start one whose slot is free, else one that stands, else a cancelled one."""
    if not same:
        return None
    standing = [visit for visit in same if visit.cancelled is None]
    free = [visit for visit in standing if _is_free(visit, line.slot, taken)]
    return (free or standing or same)[0].visit_id


def _is_free(visit: PlannedVisit, slot: int, taken: Collection[Slot]) -> bool:
    return visit.cancelled is None and slot < visit.workers_needed and (visit.visit_id, slot) not in taken


def _by_customer_and_slot(
    unnamed: Sequence[ClaimLine], found: Collection[int]
) -> dict[tuple[CustomerId, int], list[ClaimLine]]:
    rest: dict[tuple[CustomerId, int], list[ClaimLine]] = defaultdict(list)
    for line in unnamed:
        if line.line_no not in found:
            rest[line.customer, line.slot].append(line)
    return rest


Window = tuple[timedelta, timedelta]


def _fits(start: datetime, visit: PlannedVisit, window: Window) -> bool:
    return visit.start - window[0] <= start < visit.start + window[1]


def _groups(
    lines: Sequence[ClaimLine], visits: Sequence[PlannedVisit], window: Window
) -> Iterator[tuple[list[ClaimLine], list[PlannedVisit]]]:
    """Lines (by start) with the visits that fit any of them, in groups that share no visit."""
    some: list[ClaimLine] = []
    fitting: list[PlannedVisit] = []
    for line in lines:
        near = [visit for visit in visits if _fits(line.start, visit, window)]
        if some and (not near or near[0].start > fitting[-1].start):
            yield some, fitting
            some, fitting = [], []
        if near:
            some.append(line)
            fitting += [visit for visit in near if visit not in fitting]
    if some:
        yield some, fitting


_Score = tuple[int, int]
"""Pairs, and seconds apart (negative): the greater is the better."""


class _Alignment:
    """The best assignment of lines to visits, both by start, and which others are as good."""

    def __init__(self, lines: Sequence[ClaimLine], visits: Sequence[PlannedVisit], window: Window) -> None:
        self._lines = lines
        self._visits = visits
        self._window = window
        self._before = self._table(lines, visits)
        backwards = self._table(lines[::-1], visits[::-1])
        self._after = [row[::-1] for row in backwards[::-1]]

    def meant(self) -> dict[int, Meant]:
        """What each line means; lines of one start share the visits that they mean together, the surplus repeating the first."""
        best = self._before[-1][-1]
        options = [self._options(place, best) for place in range(len(self._lines))]
        found: dict[int, Meant] = {}
        for places in self._by_start():
            visits = list(dict.fromkeys(visit for place in places for visit in options[place][0]))
            always = min(self._matched_of(places), len(visits))
            left_out = len(places) == 1 and options[places[0]][1]
            unclear = bool(visits) and (len(visits) > always or left_out)
            for order, place in enumerate(places):
                number = self._lines[place].line_no
                if unclear:
                    found[number] = Meant(rivals=tuple(self._visits[visit].visit_id for visit in visits))
                elif visits:
                    found[number] = Meant(visit=self._visits[visits[min(order, len(visits) - 1)]].visit_id)
        return found

    def _by_start(self) -> list[list[int]]:
        found: dict[datetime, list[int]] = defaultdict(list)
        for place, line in enumerate(self._lines):
            found[line.start].append(place)
        return list(found.values())

    def _matched_of(self, places: Sequence[int]) -> int:
        """How many of these lines, which start together, one best assignment pairs."""
        i, j, matched = len(self._lines), len(self._visits), 0
        while i and j:
            pair = self._pair(i - 1, j - 1, self._lines, self._visits)
            if pair is not None and _sum(self._before[i - 1][j - 1], pair) == self._before[i][j]:
                i, j = i - 1, j - 1
                matched += i in places
            elif self._before[i - 1][j] == self._before[i][j]:
                i -= 1
            else:
                j -= 1
        return matched

    def _options(self, place: int, best: _Score) -> tuple[list[int], bool]:
        """The visits that some best assignment gives this line, and whether some best assignment leaves it out."""
        visits = []
        for visit in range(len(self._visits)):
            pair = self._pair(place, visit, self._lines, self._visits)
            if pair is not None:
                whole = _sum(_sum(self._before[place][visit], pair), self._after[place + 1][visit + 1])
                visits += [visit] if whole == best else []
        without = max(
            _sum(self._before[place][visit], self._after[place + 1][visit]) for visit in range(len(self._visits) + 1)
        )
        return visits, without == best

    def _table(self, lines: Sequence[ClaimLine], visits: Sequence[PlannedVisit]) -> list[list[_Score]]:
        """`[i][j]`: the best score of the first i lines with the first j visits."""
        table = [[(0, 0)] * (len(visits) + 1) for _ in range(len(lines) + 1)]
        for i in range(1, len(lines) + 1):
            for j in range(1, len(visits) + 1):
                pair = self._pair(i - 1, j - 1, lines, visits)
                options = [table[i - 1][j], table[i][j - 1]]
                if pair is not None:
                    options.append(_sum(table[i - 1][j - 1], pair))
                table[i][j] = max(options)
        return table

    def _pair(self, line: int, visit: int, lines: Sequence[ClaimLine], visits: Sequence[PlannedVisit]) -> _Score | None:
        start, planned = lines[line].start, visits[visit]
        if not _fits(start, planned, self._window):
            return None
        return 1, -abs(seconds_between(planned.start, start))


def _sum(first: _Score, second: _Score) -> _Score:
    return first[0] + second[0], first[1] + second[1]
