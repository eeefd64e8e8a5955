"""From single events to stays: one worker with one customer, opened by a check-in and closed by that pair's next check-out. Not yet
tied to any planned visit (matching.py, reconcile.py). Open, repeated, orphan and overlapping events become findings, never errors."""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby

from evm.domain.evidence import EventKind, Evidence, Source
from evm.domain.finding import Finding, FindingCode
from evm.domain.ids import CustomerId, VisitId, WorkerId
from evm.domain.people import TravelMode
from evm.domain.period import in_zone, seconds_between
from evm.domain.place import Home
from evm.domain.policy import Policy
from evm.domain.travel import journey_seconds

PRESENCE = frozenset({EventKind.CHECK_IN, EventKind.CHECK_OUT})
_JOURNEY_SEEN_MAX = timedelta(hours=3)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stay:
    """One worker with one customer, before matching. `check_in` None: an orphan check-out; `check_out` None: forgotten.

    `repeats` are further check-ins and check-outs of the same stay: what lies between them and the first is doubtful and pays nothing.
    `payable_seconds` is 0 when open or orphan and never reaches past `end_max`. `is_ahead`: it rests on events said to have happened
    after we received them; it is kept for a person and attends no planned visit."""

    attendance_id: str
    worker: WorkerId
    customer: CustomerId
    check_in: Evidence | None
    check_out: Evidence | None
    start: datetime | None
    end: datetime | None
    claimed: VisitId | None
    repeats: tuple[Evidence, ...] = ()
    end_max: datetime | None = None
    payable_seconds: int = 0
    findings: tuple[Finding, ...] = ()
    is_ahead: bool = False

    @property
    def events(self) -> tuple[Evidence, ...]:
        """Everything the stay rests on, check-in first."""
        if self.check_in is None or self.check_out is None:
            return (*(event for event in (self.check_in, self.check_out) if event is not None), *self.repeats)
        return (self.check_in, self.check_out, *self.repeats)


def distinct(evidence: Iterable[Evidence]) -> list[Evidence]:
    """The evidence with every event once, in any order. The same body twice is one event; the same id with another body is a conflict:
    its most cautious reading is kept (latest check-in, earliest check-out), flagged, and waits for a person (bad-input 14, 15)."""
    first: dict[tuple[str, ...], Evidence] = {}
    others: dict[tuple[str, ...], list[Evidence]] = defaultdict(list)
    for event in evidence:
        name: tuple[str, ...] = (event.provider, event.device, event.event_id)
        if first.setdefault(name, event) is not event:
            others[name].append(event)
    found = [event for name, event in first.items() if name not in others]
    for name, versions in others.items():
        found += _of_one_name([first[name], *versions])
    return _with_own_names(found)


def _of_one_name(received: list[Evidence]) -> list[Evidence]:
    """What stands of several receipts under one id."""
    bodies: dict[str, Evidence] = {}
    for event in sorted(received, key=_receipt_order):
        bodies.setdefault(event.sha256, event)
    return list(bodies.values()) if len(bodies) == 1 else _cautious(list(bodies.values()))


def _receipt_order(event: Evidence) -> tuple[object, ...]:
    """Of one body received twice, the first receipt counts; the rest only makes the order total."""
    grades = (event.grade_time, event.grade_place, event.method)
    return (
        event.received_at,
        event.at,
        event.source,
        grades,
        event.waits,
        event.flags,
        event.visit or "",
        event.customer or "",
    )


def _cautious(versions: list[Evidence]) -> list[Evidence]:
    """One reading for each (kind, worker, customer) that the conflicting bodies name."""
    found = []
    meanings: dict[tuple[str, str, str], list[Evidence]] = defaultdict(list)
    for event in sorted(versions, key=lambda event: event.sha256):
        meanings[event.kind, event.worker or "", event.customer or ""].append(event)
    for said in meanings.values():
        instants = [event.at for event in said]
        visits = {event.visit for event in said}
        reading = replace(
            said[0],
            at=max(instants) if said[0].kind is EventKind.CHECK_IN else min(instants),
            visit=visits.pop() if len(visits) == 1 else None,
            grade_time=max(event.grade_time for event in said),
            grade_place=max(event.grade_place for event in said),
            flags=_union((FindingCode.CONFLICTING_EVENTS.value,), *(event.flags for event in said)),
            waits=True,
        )
        found.append(reading)
    return found


def _union(*flags: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(sorted({flag for some in flags for flag in some}))


def _with_own_names(events: list[Evidence]) -> list[Evidence]:
    """Different events that share an id (a conflict, or another device that copied it) are told apart by their digest."""
    if len({event.event_id for event in events}) == len(events):
        return events
    by_id: dict[str, list[int]] = defaultdict(list)
    for at, event in enumerate(events):
        by_id[event.event_id].append(at)
    for sharing in by_id.values():
        if len(sharing) > 1:
            for at in sorted(sharing, key=lambda at: (events[at].sha256, events[at].provider, events[at].device))[1:]:
                event = events[at]
                events[at] = replace(event, event_id=type(event.event_id)(f"{event.event_id}~{event.sha256[:8]}"))
    return events


def is_ahead(event: Evidence, *, policy: Policy) -> bool:
    """Whether a device says it happened later than we heard of it: its clock is wrong, and nothing may be concluded at that time."""
    if event.at <= event.received_at or event.source is not Source.DEVICE:
        return False
    return event.at - event.received_at > timedelta(seconds=policy.clock_ahead_seconds_max)


def stays_of(
    *,
    evidence: Sequence[Evidence],
    homes: Mapping[CustomerId, Home],
    modes: Mapping[WorkerId, TravelMode],
    policy: Policy,
) -> tuple[Stay, ...]:
    """Every stay that the (distinct) evidence shows, sorted by worker, customer and time; capped where the same worker checked in
    elsewhere meanwhile. Events whose worker or customer is unknown make no stay; those ahead of their receipt make stays of their own,
    which neither cap nor close any other."""
    pairs: dict[tuple[WorkerId, CustomerId], list[Evidence]] = defaultdict(list)
    ahead: dict[tuple[WorkerId, CustomerId], list[Evidence]] = defaultdict(list)
    for event in evidence:
        if event.kind in PRESENCE and event.worker is not None and event.customer is not None:
            chosen = ahead if is_ahead(event, policy=policy) else pairs
            chosen[event.worker, event.customer].append(event)
    stays = _stays_of_pairs(pairs, homes, modes, policy)
    if ahead:
        stays += [replace(stay, is_ahead=True) for stay in _stays_of_pairs(ahead, homes, modes, policy)]
        stays.sort(key=lambda stay: (stay.worker, stay.customer))
    return tuple(stays)


def _stays_of_pairs(
    pairs: Mapping[tuple[WorkerId, CustomerId], list[Evidence]],
    homes: Mapping[CustomerId, Home],
    modes: Mapping[WorkerId, TravelMode],
    policy: Policy,
) -> list[Stay]:
    arrivals = _arrivals(pairs)
    stays: list[Stay] = []
    for (worker, customer), events in sorted(pairs.items()):
        events.sort(key=lambda event: (event.at, event.event_id))
        mode = modes.get(worker, TravelMode.CAR)
        paired = _paired(worker, customer, events, arrivals[worker], policy)
        stays += [_capped(stay, arrivals[worker], homes, mode, policy) for stay in paired]
    return stays


class Arrivals:
    """One worker's check-ins, everywhere, in order."""

    def __init__(self, check_ins: list[tuple[datetime, CustomerId, str]]) -> None:
        self._ordered = sorted(check_ins)
        self._next_elsewhere: list[int] = [len(check_ins)] * len(check_ins)
        for at in range(len(check_ins) - 2, -1, -1):
            same = self._ordered[at][1] == self._ordered[at + 1][1]
            self._next_elsewhere[at] = self._next_elsewhere[at + 1] if same else at + 1

    def next_elsewhere(self, at: datetime, customer: CustomerId, event_id: str) -> tuple[datetime, CustomerId] | None:
        """The first check-in at another customer after the one given."""
        place = bisect_left(self._ordered, (at, customer, event_id))
        following = self._next_elsewhere[place]
        return self._ordered[following][:2] if following < len(self._ordered) else None

    def elsewhere_between(self, since: datetime, until: datetime, customer: CustomerId) -> bool:
        """Whether the worker checked in at another customer in `(since, until)`."""
        low = bisect_right(self._ordered, since, key=lambda arrival: arrival[0])
        high = bisect_left(self._ordered, until, key=lambda arrival: arrival[0])
        return any(arrival[1] != customer for arrival in self._ordered[low:high])


def _arrivals(pairs: Mapping[tuple[WorkerId, CustomerId], list[Evidence]]) -> dict[WorkerId, Arrivals]:
    found: dict[WorkerId, list[tuple[datetime, CustomerId, str]]] = defaultdict(list)
    for (worker, customer), events in pairs.items():
        found[worker] += [(event.at, customer, event.event_id) for event in events if event.kind is EventKind.CHECK_IN]
    return {worker: Arrivals(check_ins) for worker, check_ins in found.items()}


class _Draft:
    """A stay being put together: its first check-in, its first check-out, and their repeats."""

    __slots__ = ("check_in", "check_out", "repeats")

    def __init__(self, check_in: Evidence | None, check_out: Evidence | None = None) -> None:
        self.check_in = check_in
        self.check_out = check_out
        self.repeats: list[Evidence] = []

    @property
    def is_open(self) -> bool:
        return self.check_in is not None and self.check_out is None

    def is_repeated_by(self, event: Evidence, arrivals: Arrivals, policy: Policy) -> bool:
        """Whether `event` says again what the draft's last event of that kind said, soon and with nobody visited in between."""
        first = self.check_in if event.kind is EventKind.CHECK_IN else self.check_out
        if first is None or event.at - first.at > timedelta(minutes=policy.same_stay_minutes_max):
            return False
        if first.visit is not None and event.visit is not None and first.visit != event.visit:
            return False
        assert event.customer is not None
        return not arrivals.elsewhere_between(first.at, event.at, event.customer)


_NONE = _Draft(None)
"""Before the first event: neither open nor repeated by anything."""


def _paired(
    worker: WorkerId, customer: CustomerId, events: list[Evidence], arrivals: Arrivals, policy: Policy
) -> list[Stay]:
    drafts: list[_Draft] = []
    for event in _in_turn(events, drafts):
        last = drafts[-1] if drafts else _NONE
        if event.kind is EventKind.CHECK_IN:
            if last.is_open and last.is_repeated_by(event, arrivals, policy):
                last.repeats.append(event)
            else:
                drafts.append(_Draft(event))
        elif last.is_open and _closes(last, event, policy):
            last.check_out = event
        elif not last.is_open and last.is_repeated_by(event, arrivals, policy):
            last.repeats.append(event)
        else:
            drafts.append(_Draft(None, event))
    return [_stay(worker, customer, draft, policy) for draft in drafts]


def _in_turn(events: list[Evidence], drafts: list[_Draft]) -> Iterable[Evidence]:
    """Events by time; of several in one second check-outs come first when a stay is open by then and check-ins when none is."""
    for _, same_second in groupby(events, key=lambda event: event.at):
        group = list(same_second)
        if len(group) > 1:
            first = EventKind.CHECK_OUT if drafts and drafts[-1].is_open else EventKind.CHECK_IN
            group.sort(key=lambda event: (event.kind is not first, event.event_id))
        yield from group


def _closes(draft: _Draft, check_out: Evidence, policy: Policy) -> bool:
    assert draft.check_in is not None
    return check_out.at - draft.check_in.at <= timedelta(hours=policy.stay_hours_max)


def _stay(worker: WorkerId, customer: CustomerId, draft: _Draft, policy: Policy) -> Stay:
    check_in, check_out = draft.check_in, draft.check_out
    named = check_in or check_out
    assert named is not None
    claims = [event.visit for event in (check_in, check_out) if event is not None and event.visit is not None]
    undoubted = 0
    if check_in is not None and check_out is not None:
        undoubted = max(0, seconds_between(_sure_start(draft), check_out.at))
    return Stay(
        attendance_id=named.event_id,
        worker=worker,
        customer=customer,
        check_in=check_in,
        check_out=check_out,
        start=check_in.at if check_in else None,
        end=check_out.at if check_out else None,
        claimed=claims[0] if claims else None,
        repeats=tuple(draft.repeats),
        payable_seconds=undoubted,
        findings=_findings_of(draft, policy),
    )


def _sure_start(draft: _Draft) -> datetime:
    """From here nobody doubts that the stay had begun: its last repeated check-in."""
    assert draft.check_in is not None
    repeated = [event.at for event in draft.repeats if event.kind is EventKind.CHECK_IN]
    return max([draft.check_in.at, *repeated])


def _findings_of(draft: _Draft, policy: Policy) -> tuple[Finding, ...]:
    found = []
    for kind, word in ((EventKind.CHECK_IN, "in"), (EventKind.CHECK_OUT, "out")):
        again = [event for event in draft.repeats if event.kind is kind]
        if again:
            times = ", ".join(clock(event.at, policy=policy) for event in again)
            words = f"Checked {word} again at {times}: the time in between is doubtful and pays nothing."
            ids = tuple(sorted(event.event_id for event in again))
            found.append(Finding(code=FindingCode.DUPLICATE_EVENTS, words=words, evidence=ids))
    if draft.check_in is None and draft.check_out is not None:
        words = f"Checked out at {clock(draft.check_out.at, policy=policy)} with no check-in: 0 minutes until amended."
        found.append(_on(FindingCode.ORPHAN_CHECK_OUT, words, draft.check_out))
    if draft.check_out is None and draft.check_in is not None:
        words = f"Checked in at {clock(draft.check_in.at, policy=policy)} and never out: 0 minutes until amended."
        found.append(_on(FindingCode.FORGOTTEN_CHECK_OUT, words, draft.check_in))
    return tuple(found)


def _on(code: FindingCode, words: str, *events: Evidence) -> Finding:
    return Finding(code=code, words=words, evidence=tuple(sorted(event.event_id for event in events)))


def clock(instant: datetime, *, policy: Policy) -> str:
    """The local time of day as sentences give it: 09:05."""
    return in_zone(instant, zone=policy.zone).strftime("%H:%M")


def _capped(stay: Stay, arrivals: Arrivals, homes: Mapping[CustomerId, Home], mode: TravelMode, policy: Policy) -> Stay:
    """The stay with `end_max` where the worker's next check-in elsewhere bears on it: it is open, or it overlaps."""
    if stay.start is None or stay.check_in is None:
        return stay
    following = arrivals.next_elsewhere(stay.start, stay.customer, stay.check_in.event_id)
    latest = stay.end or stay.start + timedelta(hours=policy.stay_hours_max)
    if following is None or following[0] - latest >= _JOURNEY_SEEN_MAX:
        return stay
    at, customer = following
    journey = _journey(stay.customer, customer, homes, mode, policy)
    end_max = max(stay.start, at - timedelta(seconds=journey))
    if stay.end is None:
        return replace(stay, end_max=end_max) if at < latest else stay
    if at < stay.end:
        return _overlapping(stay, at, end_max, policy)
    if stay.end + timedelta(seconds=journey - policy.journey_slack_seconds) > at:
        return _too_quick(stay, at, journey, policy)
    return stay


def _too_quick(stay: Stay, at: datetime, journey: int, policy: Policy) -> Stay:
    assert stay.end is not None
    assert stay.check_out is not None
    words = (
        f"Checked out at {clock(stay.end, policy=policy)} and in elsewhere at {clock(at, policy=policy)}: "
        f"the journey takes {-(-journey // 60)} minutes."
    )
    return replace(stay, findings=(*stay.findings, _on(FindingCode.IMPOSSIBLE_JOURNEY, words, stay.check_out)))


def _journey(
    here: CustomerId, there: CustomerId, homes: Mapping[CustomerId, Home], mode: TravelMode, policy: Policy
) -> int:
    """Seconds by policy; 0 when a home is not known: then only the overlap itself is certain."""
    if here not in homes or there not in homes:
        return 0
    return journey_seconds(homes[here], homes[there], mode, policy)


def _overlapping(stay: Stay, at: datetime, end_max: datetime, policy: Policy) -> Stay:
    assert stay.end is not None
    assert stay.start is not None
    lost = max(0, seconds_between(end_max, stay.end))
    words = (
        f"Still here until {clock(stay.end, policy=policy)}, yet checked in elsewhere at {clock(at, policy=policy)}: "
        f"counted to {clock(end_max, policy=policy)}, the last moment from which the journey was feasible."
    )
    assert stay.check_out is not None
    return replace(
        stay,
        end_max=end_max,
        payable_seconds=max(0, stay.payable_seconds - lost),
        findings=(*stay.findings, _on(FindingCode.OVERLAP, words, stay.check_out)),
    )
