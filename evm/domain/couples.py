"""Two customers in one home on one landline: one worker's two calls around two adjoining visits are one stay, split at the planned
boundary and never billed twice (rules.md, Couples). Everything else is matched by customer, never by address."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise

from evm.domain.attendances import Stay
from evm.domain.evidence import Method
from evm.domain.finding import FindingCode
from evm.domain.ids import CustomerId, WorkerId
from evm.domain.period import ends_at, seconds_between
from evm.domain.plan import PlannedVisit
from evm.domain.policy import Policy
from evm.domain.splitting import covers_both, split_at


def split_couples(
    *, stays: Sequence[Stay], plan: Sequence[PlannedVisit], lines: Mapping[CustomerId, Collection[str]], policy: Policy
) -> tuple[Stay, ...]:
    """The stays, where a landline check-in with one of a couple and the check-out with the other (or one stay over both their
    visits) around adjoining visits have become one stay with each. `lines` are the customers' registered landlines: neighbours at one
    address with a line each are no couple."""
    shared = _shared_lines(plan, lines)
    if not shared:
        return tuple(stays)
    joined = _joined(stays, shared)
    boundaries = _boundaries(plan, shared)
    by_customer: dict[CustomerId, list[Stay]] = defaultdict(list)
    for stay in joined:
        by_customer[stay.customer].append(stay)
    result: list[Stay] = []
    for stay in joined:
        result += (
            _split(stay, boundaries[shared[stay.customer]], by_customer, policy) if stay.customer in shared else [stay]
        )
    return tuple(result)


_Line = str
_Adjoining = tuple[PlannedVisit, PlannedVisit]


def _shared_lines(plan: Sequence[PlannedVisit], lines: Mapping[CustomerId, Collection[str]]) -> dict[CustomerId, _Line]:
    """The customers in the plan who share a landline with another of them, and that line."""
    on: dict[_Line, set[CustomerId]] = defaultdict(set)
    for customer in {visit.customer_id for visit in plan}:
        for line in lines.get(customer, ()):
            on[line].add(customer)
    return {customer: line for line, there in sorted(on.items()) if len(there) > 1 for customer in there}


def _joined(stays: Sequence[Stay], shared: Mapping[CustomerId, _Line]) -> list[Stay]:
    """Open landline stays closed by the same worker's lone landline check-out with the partner."""
    groups: dict[tuple[WorkerId, _Line], list[Stay]] = defaultdict(list)
    for stay in stays:
        if stay.customer in shared and all(event.method is Method.LANDLINE for event in stay.events):
            groups[stay.worker, shared[stay.customer]].append(stay)
    gone: set[str] = set()
    closed: dict[str, Stay] = {}
    for there in groups.values():
        there.sort(key=lambda stay: (stay.start or stay.end, stay.attendance_id))
        for stay, following in pairwise(there):
            if stay.end is None and following.start is None and stay.customer != following.customer:
                gone.add(following.attendance_id)
                closed[stay.attendance_id] = _closed_by(stay, following)
    return [closed.get(stay.attendance_id, stay) for stay in stays if stay.attendance_id not in gone]


def _closed_by(stay: Stay, following: Stay) -> Stay:
    assert stay.start is not None
    assert following.end is not None
    end = following.end if stay.end_max is None else min(following.end, stay.end_max)
    return replace(
        stay,
        check_out=following.check_out,
        end=following.end,
        payable_seconds=max(0, seconds_between(stay.start, end)),
        findings=tuple(found for found in stay.findings if found.code is not FindingCode.FORGOTTEN_CHECK_OUT),
    )


def _boundaries(plan: Sequence[PlannedVisit], shared: Mapping[CustomerId, _Line]) -> Mapping[_Line, list[_Adjoining]]:
    """For each line the adjoining visits of two customers on it: the second starts when the first ends."""
    starting: dict[tuple[_Line, object], list[PlannedVisit]] = defaultdict(list)
    live = [visit for visit in plan if visit.customer_id in shared and visit.cancelled is None]
    for visit in live:
        starting[shared[visit.customer_id], visit.start].append(visit)
    found: dict[_Line, list[_Adjoining]] = defaultdict(list)
    for first in live:
        line = shared[first.customer_id]
        for second in starting.get((line, ends_at(start=first.start, minutes=first.minutes)), ()):
            if second.customer_id != first.customer_id:
                found[line].append((first, second))
    return found


def _split(
    stay: Stay, boundaries: Sequence[_Adjoining], stays: Mapping[CustomerId, Sequence[Stay]], policy: Policy
) -> list[Stay]:
    if stay.start is None or stay.end is None or any(event.method is not Method.LANDLINE for event in stay.events):
        return [stay]
    for visits in boundaries:
        near = visits[0].start < stay.end and stay.start < visits[1].start
        pair = (visits[0].customer_id, visits[1].customer_id)
        if near and stay.customer in pair and covers_both(stay, visits, policy) and not _others(stay, visits, stays):
            return split_at(stay, visits[1].start, customers=pair)
    return [stay]


def _others(stay: Stay, visits: _Adjoining, stays: Mapping[CustomerId, Sequence[Stay]]) -> bool:
    """Whether something else fits either visit: then the landline stay is left as it is."""
    last = ends_at(start=visits[1].start, minutes=visits[1].minutes)
    return any(
        other.attendance_id != stay.attendance_id and other.start is not None and visits[0].start <= other.start < last
        for visit in visits
        for other in stays.get(visit.customer_id, ())
    )
