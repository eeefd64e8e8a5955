"""The laws of time, evidence and matching, each a function that raises AssertionError where it does not hold: test_laws.py asserts that they
hold, test_laws_can_fail.py that each is seen to fail when its rule is broken on purpose. What they compare with shares no code with
evm.domain."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from itertools import combinations, product

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from evm.domain import matching, period
from evm.domain.evidence import EventKind, Evidence
from evm.domain.ids import CustomerId, VisitId, WorkerId
from evm.domain.matching import Candidate, Opening
from evm.domain.plan import PlannedVisit
from evm.domain.visit import Visit
from tests.domain.stories import home, planned, visits_of
from tests.properties.strategies import HOMES, LINES, messy_worlds, plans, shuffled, tidy_worlds, worlds

ZONE = "Europe/London"
PHASES: tuple[Phase, ...] = (Phase.explicit, Phase.generate, Phase.shrink)
"""test_laws_can_fail.py leaves the shrinking out: there a failure is what is wanted, not a small one."""
World = tuple[list[PlannedVisit], list[Evidence]]


def holds(law: Callable[..., None], *arguments: st.SearchStrategy[object], examples: int = 150) -> None:
    """Try `law` on many drawn arguments, the same ones each time."""
    quiet = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    shape = settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        phases=PHASES,
        suppress_health_check=quiet,
    )
    shape(given(*arguments)(law))()


# -- time ----------------------------------------------------------------------------------------------------------------------------


def clock_change_days() -> list[date]:
    """The last Sundays of March and October, 2026 to 2030."""
    days = []
    for year in range(2026, 2031):
        for month in (3, 10):
            last = date(year, month, 31)
            days.append(last - timedelta(days=(last.weekday() + 1) % 7))
    return days


def plain_offset(instant: datetime) -> timedelta:
    """British Summer Time by its statute: from 01:00 UTC on the last Sunday of March to 01:00 UTC on the last of October."""
    spring, autumn = (datetime.combine(day, time(1), UTC) for day in clock_change_days() if day.year == instant.year)
    return timedelta(hours=1) if spring <= instant < autumn else timedelta(0)


def plain_instants(day: date, minute: int) -> list[datetime]:
    """Every UTC instant at which a London wall clock shows that minute of that day."""
    wall = datetime.combine(day, time(minute // 60, minute % 60))
    guesses = [wall.replace(tzinfo=UTC) - timedelta(hours=hours) for hours in (1, 0)]
    return [guess for guess in guesses if guess.replace(tzinfo=None) + plain_offset(guess) == wall]


def clock_changes_are_plain_utc() -> None:
    """Every clock-change day 2026-2030, each start minute 00:00-03:59, lengths 15, 30, 45, 60 and 540 minutes."""
    for day, minute in product(clock_change_days(), range(240)):
        instants = plain_instants(day, minute)
        at = time(minute // 60, minute % 60)
        if not instants:
            assert _refusal(day, at) is period.NonexistentLocalTime
            continue
        if len(instants) == 2:
            assert _refusal(day, at) is period.AmbiguousLocalTime
        for instant in instants:
            offset = round(plain_offset(instant).total_seconds() / 60)
            assert period.to_utc(day=day, at=at, zone=ZONE, offset_minutes=offset) == instant
            assert len(instants) == 2 or period.to_utc(day=day, at=at, zone=ZONE) == instant
            for minutes in (15, 30, 45, 60, 540):
                _lasts(day, at, offset, instant, minutes)


def _lasts(day: date, at: time, offset: int, instant: datetime, minutes: int) -> None:
    end = instant + timedelta(minutes=minutes)
    local = period.local_end(day=day, at=at, minutes=minutes, zone=ZONE, offset_minutes=offset)
    assert local.replace(tzinfo=None) == end.replace(tzinfo=None) + plain_offset(end)
    start = period.in_zone(instant, zone=ZONE)
    assert period.seconds_between(start, local) == minutes * 60
    assert period.care_day(end, zone=ZONE) == (end + plain_offset(end)).date()


def _refusal(day: date, at: time) -> type[Exception] | None:
    try:
        period.to_utc(day=day, at=at, zone=ZONE)
    except (period.NonexistentLocalTime, period.AmbiguousLocalTime) as error:
        return type(error)
    return None


# -- evidence ------------------------------------------------------------------------------------------------------------------------


def order_and_repetition_do_not_matter() -> None:
    """Any permutation and duplication of the same evidence gives the same visits and findings."""

    def law(world: World, seed: int) -> None:
        plan, evidence = world
        assert visits(plan, shuffled(evidence, seed)) == visits(plan, evidence)
        assert visits(list(reversed(plan)), evidence) == visits(plan, evidence)

    holds(law, worlds(), st.integers(0, 10**6))
    holds(law, messy_worlds(), st.integers(0, 10**6), examples=100)


def another_day_is_the_same_day() -> None:
    """Everything 24 hours later (no clock change in between) gives the same visits 24 hours later."""

    def law(world: World, days: int) -> None:
        plan, evidence = world
        by = timedelta(days=days)
        later = [replace(one, at=one.at + by, received_at=one.received_at + by) for one in evidence]
        plan_later = [replace(one, start=one.start + by) for one in plan]
        assert [_moved(one, by) for one in visits(plan, evidence)] == [
            _moved(one, None) for one in visits(plan_later, later)
        ]

    holds(law, worlds(), st.integers(1, 20), examples=80)


def strangers_do_not_matter() -> None:
    """Another customer with another worker changes nothing about these."""

    def law(world: World, other: World) -> None:
        plan, evidence = world
        strange_plan = [_strange_visit(one) for one in other[0]]
        strange = [_strange_event(one) for one in other[1]]
        both = visits([*strange_plan, *plan], [*strange, *evidence])
        assert tuple(one for one in both if not one.customer.startswith("x")) == visits(plan, evidence)

    holds(law, worlds(), worlds(), examples=80)


def less_evidence_never_adds_minutes() -> None:
    """Leaving out a check-out never adds a payable second."""

    def law(world: World, drawn: int) -> None:
        plan, evidence = world
        outs = [one for one in evidence if one.kind is EventKind.CHECK_OUT]
        if not outs:
            return
        gone = outs[drawn % len(outs)]
        less = [one for one in evidence if one is not gone]
        assert payable_seconds(visits(plan, less)) <= payable_seconds(visits(plan, evidence))

    holds(law, tidy_worlds(), st.integers(0, 100))


def no_second_is_counted_twice() -> None:
    """What one worker is paid for is never longer than the time in which they were anywhere."""

    def law(world: World) -> None:
        spans: dict[str, list[tuple[datetime, datetime]]] = defaultdict(list)
        paid: dict[str, int] = defaultdict(int)
        for visit in visits(*world):
            for record in visit.slots:
                one = record.attendance
                if one is not None and one.start is not None and one.end is not None:
                    end = one.end if one.end_max is None else min(one.end, one.end_max)
                    spans[one.worker].append((one.start, max(one.start, end)))
                    paid[one.worker] += one.payable_seconds
        for worker, seconds in paid.items():
            assert seconds <= union_seconds(spans[worker]), worker

    holds(law, worlds())
    holds(law, tidy_worlds())


def every_stay_is_kept_once() -> None:
    """Every attendance is in exactly one slot of one visit, and no slot's worker fills two slots of it."""

    def law(world: World) -> None:
        ids = []
        for visit in visits(*world):
            present = [record.attendance for record in visit.slots if record.attendance is not None]
            ids += [one.attendance_id for one in present]
            assert len({one.worker for one in present}) == len(present)
        assert len(ids) == len(set(ids))

    holds(law, worlds())


def visits(plan: Sequence[PlannedVisit], evidence: Sequence[Evidence]) -> tuple[Visit, ...]:
    customers = frozenset(HOMES) | {one.customer_id for one in plan}
    homes = HOMES | {customer: home(9000) for customer in customers - set(HOMES)}
    return visits_of(plan, evidence, homes=homes, lines=LINES, customers=customers)


def payable_seconds(found: Sequence[Visit]) -> int:
    return sum(record.attendance.payable_seconds for one in found for record in one.slots if record.attendance)


def union_seconds(spans: Sequence[tuple[datetime, datetime]]) -> int:
    total, reached = 0.0, datetime.min.replace(tzinfo=UTC)
    for start, end in sorted(spans):
        total += max(0.0, (end - max(start, reached)).total_seconds())
        reached = max(reached, end)
    return round(total)


def _strange_visit(one: PlannedVisit) -> PlannedVisit:
    rostered = tuple(WorkerId(f"x{worker}") for worker in one.rostered)
    names = {"visit_id": VisitId(f"x{one.visit_id}"), "customer_id": CustomerId(f"x{one.customer_id}")}
    return replace(one, rostered=rostered, **names)


def _strange_event(one: Evidence) -> Evidence:
    return replace(
        one,
        event_id=type(one.event_id)(f"x{one.event_id}"),
        device=type(one.device)(f"x{one.device}"),
        worker=WorkerId(f"x{one.worker}"),
        customer=CustomerId(f"x{one.customer}"),
        visit=VisitId(f"x{one.visit}") if one.visit else None,
    )


def _moved(visit: Visit, by: timedelta | None) -> list[object]:
    """What must be the same a day later: who, where, how long; and the instants moved by `by`."""
    move = by or timedelta(0)
    said: list[object] = [visit.visit_id, visit.customer, visit.outcome, visit.overlap_seconds, visit.findings]
    said.append(visit.planned_start + move if visit.planned_start else None)
    for record in visit.slots:
        one = record.attendance
        if one is not None:
            instants = [instant + move if instant else None for instant in (one.start, one.end, one.end_max)]
            said += [record.slot, one.attendance_id, one.worker, one.payable_seconds, instants]
    return said


# -- matching ------------------------------------------------------------------------------------------------------------------------


def matching_is_the_slow_one() -> None:
    """The matcher's pairs are those of an enumeration of every possible matching."""

    def law(openings: list[Opening], candidates: list[Candidate]) -> None:
        found = matching.match(openings=openings, candidates=candidates, taken={})
        fast = {(visit_id, stay.attendance_id) for (visit_id, _), stay in found.items()}
        assert fast == slow_match(openings, candidates)

    holds(law, _openings(), _candidates(), examples=300)


def _openings() -> st.SearchStrategy[list[Opening]]:
    def made(drawn: list[PlannedVisit]) -> list[Opening]:
        starts = sorted({int(one.start.timestamp()) for one in drawn})
        return [_opening(one, starts) for one in drawn[:4]]

    return plans().map(made)


def _opening(one: PlannedVisit, starts: list[int]) -> Opening:
    start = int(one.start.timestamp())
    following = [other for other in starts if other > start]
    until = min([start + 7200, *following[:1]])
    return Opening(visit_id=one.visit_id, start=start, since=start - 3600, until=until, rostered=one.rostered)


def _candidates() -> st.SearchStrategy[list[Candidate]]:
    base = int(planned().start.timestamp())
    one = st.tuples(st.sampled_from("123"), st.integers(-12, 48), st.sampled_from([None, None, None, "v0", "v1", "v9"]))

    def made(drawn: list[tuple[str, int, str | None]]) -> list[Candidate]:
        return [
            Candidate(
                attendance_id=f"a{number}",
                worker=WorkerId(f"w{worker}"),
                at=base + 300 * steps,
                claimed=VisitId(claim) if claim else None,
            )
            for number, (worker, steps, claim) in enumerate(drawn)
        ]

    return st.lists(one, max_size=5).map(made)


def slow_match(openings: Sequence[Opening], candidates: Sequence[Candidate]) -> set[tuple[VisitId, str]]:
    """rules.md, Matching, read literally: claims first; then the best of every possible matching of the rest."""
    inside: dict[VisitId, list[Candidate]] = {one.visit_id: [] for one in openings}
    by_id = {one.visit_id: one for one in openings}
    rest = []
    for stay in sorted(candidates, key=lambda one: (one.at, one.attendance_id)):
        claimed = by_id.get(stay.claimed) if stay.claimed else None
        if claimed is not None and _has_room(claimed, inside, stay):
            inside[claimed.visit_id].append(stay)
        else:
            rest.append(stay)
    pairs = sorted(
        (one.start, one.visit_id, stay.attendance_id) for one in openings for stay in rest if _allowed(one, stay)
    )
    people = {stay.attendance_id: stay for stay in rest}
    best = min(_matchings(pairs, by_id, inside, people), key=lambda some: _worth(some, pairs, by_id, people))
    chosen = {(visit_id, attendance_id) for _, visit_id, attendance_id in best}
    return chosen | {(visit_id, stay.attendance_id) for visit_id, there in inside.items() for stay in there}


_Triple = tuple[int, VisitId, str]


def _allowed(one: Opening, stay: Candidate) -> bool:
    return one.since <= stay.at < one.until


def _has_room(one: Opening, inside: dict[VisitId, list[Candidate]], stay: Candidate) -> bool:
    there = inside[one.visit_id]
    return len(there) < len(one.rostered) and stay.worker not in {other.worker for other in there}


def _matchings(
    pairs: Sequence[_Triple],
    openings: dict[VisitId, Opening],
    inside: dict[VisitId, list[Candidate]],
    people: dict[str, Candidate],
) -> Iterator[tuple[_Triple, ...]]:
    for size in range(min(len(pairs), len(people)) + 1):
        for some in combinations(pairs, size):
            if len({attendance_id for _, _, attendance_id in some}) == size and _fits(some, openings, inside, people):
                yield some


def _fits(
    some: Sequence[_Triple],
    openings: dict[VisitId, Opening],
    inside: dict[VisitId, list[Candidate]],
    people: dict[str, Candidate],
) -> bool:
    for visit_id, one in openings.items():
        workers = [people[attendance_id].worker for _, visit, attendance_id in some if visit == visit_id]
        workers += [stay.worker for stay in inside[visit_id]]
        if len(workers) > len(one.rostered) or len(set(workers)) < len(workers):
            return False
    return True


def _worth(
    some: Sequence[_Triple], pairs: Sequence[_Triple], openings: dict[VisitId, Opening], people: dict[str, Candidate]
) -> tuple[int, int, int, tuple[bool, ...]]:
    seconds = sum(abs(people[attendance_id].at - start) for start, _, attendance_id in some)
    rostered = sum(people[attendance_id].worker in openings[visit_id].rostered for _, visit_id, attendance_id in some)
    return -len(some), seconds, -rostered, tuple(pair not in some for pair in pairs)


LAWS: tuple[Callable[[], None], ...] = (
    clock_changes_are_plain_utc,
    order_and_repetition_do_not_matter,
    another_day_is_the_same_day,
    strangers_do_not_matter,
    less_evidence_never_adds_minutes,
    no_second_is_counted_twice,
    every_stay_is_kept_once,
    matching_is_the_slow_one,
)
