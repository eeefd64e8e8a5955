"""Call cramming, two different wrongs told apart (rules.md, Findings): built into the roster, where planned visits and feasible travel do
not fit the worker's time, and by the worker, who cuts visits short because the next begins early. Not a verdict on pay: the worker sees
every flag and can reply. One short visit proves nothing: customers send workers away, too."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import pairwise
from types import MappingProxyType

from evm.domain.attendances import clock
from evm.domain.chances import Rate, chance_of_at_least, rate_between
from evm.domain.ids import CustomerId, LocalityId, VisitId, WorkerId
from evm.domain.people import TravelMode
from evm.domain.period import care_day, ends_at, seconds_between
from evm.domain.place import Home
from evm.domain.plan import PlannedVisit
from evm.domain.policy import Policy
from evm.domain.travel import journey_seconds
from evm.domain.visit import Attendance, Visit

_GOES_ON_WEIGHT = 5
"""How many short visits' worth of the locality's share is mixed into how often others go on early from one customer."""
_SENTENCES_MAX = 12
_NO_LOCALITY = LocalityId("-")


@dataclass(frozen=True, slots=True, kw_only=True)
class CrammedDay:
    """A worker's planned day that cannot be worked: `late_seconds` is its worst start, worked in planned order with full minutes and
    the policy's travel."""

    worker: WorkerId
    day: date
    visits: tuple[VisitId, ...]
    late_seconds: int
    sentences: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class CrammingTest:
    """One worker's test. `pairs`: consecutive visits looked at; `crammed` of them cut short into an early next check-in; `expected`
    of them by what other workers show with the same customers; `p_value` of so many or more by chance. `flagged` under the policy's
    false-discovery rate over all workers tested."""

    worker: WorkerId
    pairs: int
    crammed: int
    expected: float
    p_value: float
    flagged: bool
    freed_minutes: int
    visits: tuple[VisitId, ...]
    sentences: tuple[str, ...]


def in_roster(
    *,
    plan: Sequence[PlannedVisit],
    homes: Mapping[CustomerId, Home],
    modes: Mapping[WorkerId, TravelMode],
    policy: Policy,
) -> tuple[CrammedDay, ...]:
    """The planned worker-days on which some visit would start more than the policy's minutes late, the first on time and each later
    one at the later of its planned start and the end of the one before plus travel. Sorted by day and worker."""
    days: dict[tuple[date, WorkerId], list[PlannedVisit]] = defaultdict(list)
    for visit in plan:
        if visit.cancelled is None:
            day = care_day(visit.start, zone=policy.zone)
            for worker in {one for one in visit.rostered[: visit.workers_needed] if one is not None}:
                days[day, worker].append(visit)
    found = []
    for (day, worker), visits in sorted(days.items()):
        mode = modes.get(worker, TravelMode.CAR)
        crammed = _crammed_day(worker, day, visits, homes, mode, policy)
        found += [crammed] if crammed else []
    return tuple(found)


def _crammed_day(
    worker: WorkerId,
    day: date,
    visits: list[PlannedVisit],
    homes: Mapping[CustomerId, Home],
    mode: TravelMode,
    policy: Policy,
) -> CrammedDay | None:
    visits.sort(key=lambda visit: (visit.start, visit.visit_id))
    late: list[tuple[PlannedVisit, datetime]] = []
    worst, before, free = 0, visits[0], visits[0].start
    for visit in visits:
        reached = free + timedelta(seconds=_journey(before.customer_id, visit.customer_id, homes, mode, policy))
        start = max(visit.start, reached)
        seconds = seconds_between(visit.start, start)
        if seconds > policy.cramming_late_minutes_max * 60:
            late.append((visit, start))
        worst = max(worst, seconds)
        before, free = visit, ends_at(start=start, minutes=visit.minutes)
    if not late:
        return None
    return CrammedDay(
        worker=worker,
        day=day,
        visits=tuple(visit.visit_id for visit, _ in late),
        late_seconds=worst,
        sentences=(*(_late_sentence(visit, start, policy) for visit, start in late), _needs(worst, policy)),
    )


def _late_sentence(visit: PlannedVisit, start: datetime, policy: Policy) -> str:
    return (
        f"Visit {visit.visit_id}, planned for {clock(visit.start, policy=policy)}, cannot begin before "
        f"{clock(start, policy=policy)} if every visit before it is given in full."
    )


def _needs(worst_seconds: int, policy: Policy) -> str:
    more = -(-worst_seconds // 60)
    return f"The day is {more} minutes too short as planned; up to {policy.cramming_late_minutes_max} are not counted."


def _journey(
    here: CustomerId, there: CustomerId, homes: Mapping[CustomerId, Home], mode: TravelMode, policy: Policy
) -> int:
    if here == there or here not in homes or there not in homes:
        return 0
    return journey_seconds(homes[here], homes[there], mode, policy)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pair:
    """A visit and the same worker's next one on the same day. `crammed`: `short`, and only so could the next begin as early as it did."""

    worker: WorkerId
    customer: CustomerId
    visit: VisitId
    short: bool
    crammed: bool
    freed_seconds: int
    sentence: str


def by_worker(
    *,
    visits: Sequence[Visit],
    homes: Mapping[CustomerId, Home],
    modes: Mapping[WorkerId, TravelMode],
    policy: Policy,
    localities: Mapping[CustomerId, LocalityId] = MappingProxyType({}),
) -> tuple[CrammingTest, ...]:
    """The test of every worker with at least the policy's number of pairs in the (four weeks of) visits, sorted by worker.

    Chance is what other workers show: how often that customer's visits are short, and how often the next then begins early. Customers
    differ: how far is learned from others' visits in the locality, and what is not known of a customer stays uncertain. Many short
    visits with one customer are thus far less surprising than the same number spread over all; a customer who sends everyone away
    raises the chance, and an honest worker who goes on at once is not accused of it."""
    pairs = _pairs(visits, homes, modes, policy)
    peers = _Peers(pairs, localities, policy)
    own: dict[WorkerId, list[_Pair]] = defaultdict(list)
    for pair in pairs:
        own[pair.worker].append(pair)
    tests = [
        _tested(worker, theirs, peers)
        for worker, theirs in sorted(own.items())
        if len(theirs) >= policy.cramming_pairs_min
    ]
    return _with_flags(tests, policy)


def _pairs(
    visits: Sequence[Visit], homes: Mapping[CustomerId, Home], modes: Mapping[WorkerId, TravelMode], policy: Policy
) -> list[_Pair]:
    days: dict[tuple[str, WorkerId], list[tuple[datetime, Visit, Attendance]]] = defaultdict(list)
    for visit in visits:
        for record in visit.slots:
            one = record.attendance
            if one is not None and one.start is not None and visit.planned_start is not None and not one.amended:
                days[visit.care_day, one.worker].append((one.start, visit, one))
    found = []
    for (_, worker), attended in sorted(days.items()):
        attended.sort(key=lambda entry: (entry[0], entry[2].attendance_id))
        for (_, visit, one), (_, following, after) in pairwise(attended):
            if one.end is not None and one.customer != after.customer:
                mode = modes.get(worker, TravelMode.CAR)
                journey = _journey(one.customer, after.customer, homes, mode, policy)
                found.append(_pair(visit, one, following, after, journey, policy))
    return found


def _pair(visit: Visit, one: Attendance, following: Visit, after: Attendance, journey: int, policy: Policy) -> _Pair:
    assert visit.visit_id is not None
    assert visit.planned_minutes is not None
    assert following.planned_start is not None
    assert one.start is not None
    assert after.start is not None
    planned_seconds = visit.planned_minutes * 60
    freed = planned_seconds - one.payable_seconds
    early = seconds_between(after.start, following.planned_start)
    reached = one.start + timedelta(seconds=planned_seconds + journey)
    short = max(policy.cramming_freed_minutes_min * 60, policy.cramming_freed_share_min * planned_seconds)
    is_short = freed >= short
    crammed = is_short and early >= policy.cramming_early_minutes_min * 60 and reached > after.start
    return _Pair(
        worker=one.worker,
        customer=one.customer,
        visit=visit.visit_id,
        short=is_short,
        crammed=crammed,
        freed_seconds=freed,
        sentence=_pair_sentence(visit, one, following, after, (early, journey, reached), policy) if crammed else "",
    )


def _pair_sentence(
    visit: Visit,
    one: Attendance,
    following: Visit,
    after: Attendance,
    sums: tuple[int, int, datetime],
    policy: Policy,
) -> str:
    early, journey, reached = sums
    assert one.start is not None
    assert after.start is not None
    return (
        f"{visit.care_day}: visit {visit.visit_id} had {one.minutes} of {visit.planned_minutes} minutes from "
        f"{clock(one.start, policy=policy)}, and visit {following.visit_id} began {early // 60} minutes early at "
        f"{clock(after.start, policy=policy)}; the full visit and the journey of {-(-journey // 60)} minutes would have taken until "
        f"{clock(reached, policy=policy)}."
    )


@dataclass(slots=True)
class _Count:
    """Pairs, those of them that were short, and those that were crammed."""

    pairs: int = 0
    short: int = 0
    crammed: int = 0

    def add(self, pair: _Pair) -> None:
        self.pairs += 1
        self.short += pair.short
        self.crammed += pair.crammed


class _Peers:
    """What other workers show with each customer and in each locality, so that each worker can be compared with everybody else."""

    def __init__(self, pairs: Sequence[_Pair], localities: Mapping[CustomerId, LocalityId], policy: Policy) -> None:
        self._localities = localities
        self._policy = policy
        self._all: dict[CustomerId, _Count] = defaultdict(_Count)
        self._own: dict[tuple[WorkerId, CustomerId], _Count] = defaultdict(_Count)
        for pair in pairs:
            self._all[pair.customer].add(pair)
            self._own[pair.worker, pair.customer].add(pair)

    def distributions(self, worker: WorkerId, pairs: Sequence[_Pair]) -> list[tuple[float, ...]]:
        """For each of this worker's customers, the chances of 0, 1, 2 ... crammed pairs, were the worker like the others."""
        by_customer = Counter(pair.customer for pair in pairs)
        others = {customer: self._others(worker, customer) for customer in self._all}
        places = {self._place(customer) for customer in by_customer}
        typical = {place: self._typical(place, others) for place in sorted(places)}
        return [
            self._expected(others[customer], *typical[self._place(customer)]).distribution(trials=trials)
            for customer, trials in sorted(by_customer.items())
        ]

    def _expected(self, seen: _Count, short: Rate, goes_on: float) -> Rate:
        """The rate of crammed pairs with a customer of whom others' visits show `seen`: that the visit is short, and that the next
        then begins early, which is granted at least the policy's share (after being sent away it is only natural to go on)."""
        share = (seen.crammed + _GOES_ON_WEIGHT * goes_on) / (seen.short + _GOES_ON_WEIGHT)
        share = max(self._policy.cramming_goes_on_share_min, share)
        return short.seen(hits=seen.short, of=seen.pairs).times(share).at_least(self._policy.cramming_chance_min)

    def _typical(self, place: LocalityId, others: Mapping[CustomerId, _Count]) -> tuple[Rate, float]:
        """How often visits are short in this locality and how far its customers differ in that; and how often the next is then early."""
        counts = [count for customer, count in others.items() if self._place(customer) == place]
        short, crammed = sum(count.short for count in counts), sum(count.crammed for count in counts)
        goes_on = max(self._policy.cramming_goes_on_share_min, crammed / short if short else 0.0)
        between = rate_between([(c.short, c.pairs) for c in counts], mean_min=self._policy.cramming_chance_min)
        return between, goes_on

    def _others(self, worker: WorkerId, customer: CustomerId) -> _Count:
        everyone, own = self._all[customer], self._own.get((worker, customer), _Count())
        return _Count(
            pairs=everyone.pairs - own.pairs,
            short=everyone.short - own.short,
            crammed=everyone.crammed - own.crammed,
        )

    def _place(self, customer: CustomerId) -> LocalityId:
        return self._localities.get(customer, _NO_LOCALITY)


def _tested(worker: WorkerId, pairs: list[_Pair], peers: _Peers) -> CrammingTest:
    crammed = [pair for pair in pairs if pair.crammed]
    distributions = peers.distributions(worker, pairs)
    expected = sum(count * chance for chances in distributions for count, chance in enumerate(chances))
    p_value = chance_of_at_least(len(crammed), distributions=distributions)
    freed = sum(pair.freed_seconds for pair in crammed)
    return CrammingTest(
        worker=worker,
        pairs=len(pairs),
        crammed=len(crammed),
        expected=round(expected, 3),
        p_value=p_value,
        flagged=False,
        freed_minutes=freed // 60,
        visits=tuple(pair.visit for pair in crammed),
        sentences=_sentences(crammed, len(pairs), expected),
    )


def _sentences(crammed: list[_Pair], pairs: int, expected: float) -> tuple[str, ...]:
    """The sum of it, then the pairs that freed most, in the order of the days."""
    if not crammed:
        return ()
    first = (
        f"{len(crammed)} of {pairs} visits were cut short into an early start of the next; what other workers show with the same "
        f"customers would make it {expected:.1f}."
    )
    most = sorted(crammed, key=lambda pair: (-pair.freed_seconds, pair.sentence))[:_SENTENCES_MAX]
    return (first, *sorted(pair.sentence for pair in most))


def _with_flags(tests: list[CrammingTest], policy: Policy) -> tuple[CrammingTest, ...]:
    """Benjamini-Hochberg: the largest k with p(k) <= k/m * rate flags the k smallest, of which those with enough pairs stand."""
    ranked = sorted(tests, key=lambda test: (test.p_value, test.worker))
    limit = policy.cramming_false_discovery_rate / max(1, len(ranked))
    passed = max((rank for rank, test in enumerate(ranked, start=1) if test.p_value <= rank * limit), default=0)
    flagged = {test.worker for test in ranked[:passed] if test.crammed >= policy.cramming_pairs_min}
    return tuple(replace(test, flagged=test.worker in flagged) for test in tests)
