"""Which planned visit a claim line means that names none: exactly, for all lines together, and a person where two fit equally."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations

from hypothesis import given
from hypothesis import strategies as st

from evm.domain.billing.invoice import ClaimLine, Reason, Verdict
from evm.domain.billing.judge import judge
from evm.domain.billing.line_matching import Meant, meant_visits
from evm.domain.ids import VisitId
from evm.domain.plan import Cancellation, CancelledBy, PlannedVisit
from tests.domain.billing.bills import START, attendance, claim, known, line, planned, visit


def at(minutes: int, name: str = "visit-1", **changes) -> PlannedVisit:
    return planned(visit_id=name, start=START + timedelta(minutes=minutes), **changes)


def unnamed(minutes: int, number: int = 1, **changes) -> ClaimLine:
    return line(line_no=number, visit_id=None, start=START + timedelta(minutes=minutes), **changes)


def meant(lines, *visits) -> dict[int, str | None]:
    found = meant_visits(lines=lines, planned={each.visit_id: each for each in visits})
    return {number: each.visit for number, each in found.items()}


def test_a_line_means_the_visit_nearest_to_its_start():
    """A provider who claims actual starts would otherwise never be matched."""
    assert meant([unnamed(7)], at(0, "a"), at(60, "b")) == {1: "a"}


def test_a_line_near_no_visit_means_none():
    """A line two hours late, or over an hour early, would take a visit it has nothing to do with."""
    assert meant([unnamed(120)], at(0)) == {}
    assert meant([unnamed(-61)], at(0)) == {}
    assert meant([unnamed(119)], at(0)) == {1: "visit-1"}
    assert meant([unnamed(-60)], at(0)) == {1: "visit-1"}


def test_all_lines_are_assigned_together_and_not_one_by_one():
    """Greedily the first line takes the visit nearest to it, and the second is left with none."""
    assert meant([unnamed(50, 1), unnamed(170, 2)], at(0, "a"), at(60, "b")) == {1: "a", 2: "b"}


def test_a_copied_line_does_not_take_the_next_visit():
    """A duplicate would be paid by the evidence of another visit that nobody claimed."""
    assert meant([unnamed(0, 1), unnamed(0, 2)], at(0, "a"), at(90, "b")) == {1: "a", 2: "a"}
    assert meant([unnamed(5, 1), unnamed(5, 2)], at(0, "a")) == {1: "a", 2: "a"}


def test_twin_visits_at_one_start_are_claimed_by_a_line_each():
    """Two visits planned at one time are two visits: the second line is no duplicate."""
    assert meant([unnamed(0, 1), unnamed(0, 2)], at(0, "a"), at(0, "b")) == {1: "a", 2: "b"}


def test_a_visit_that_another_line_names_is_not_free():
    """A named line and an unnamed one would both claim it, and one honest line would be disallowed."""
    named = line(line_no=1, visit_id="a", start=START)
    assert meant([named, unnamed(10, 2)], at(0, "a"), at(60, "b")) == {2: "b"}


def test_the_second_worker_of_a_double_up_means_the_same_visit():
    """The slots are apart: the second worker's line would otherwise be pushed to the next visit."""
    lines = [unnamed(5, 1), unnamed(5, 2, slot=1)]
    assert meant(lines, at(0, "a", workers=2), at(90, "b", workers=1)) == {1: "a", 2: "a"}


def test_a_cancelled_visit_is_meant_only_by_a_line_at_its_very_start():
    """A line near a cancelled visit must find the one that stands; one at its start claims the cancellation's charge."""
    off = at(0, "a", cancelled=Cancellation(at=START, by=CancelledBy.CUSTOMER, reason=""))
    assert meant([unnamed(5)], off, at(60, "b")) == {1: "b"}
    assert meant([unnamed(0)], off, at(60, "b")) == {1: "a"}


def test_two_visits_that_fit_equally_well_are_left_to_a_person():
    """Taking either at random would pay or hold the wrong visit."""
    plans = (at(0, "a"), at(60, "b"))
    found = meant_visits(lines=[unnamed(30)], planned={each.visit_id: each for each in plans})
    assert found == {1: Meant(rivals=(VisitId("a"), VisitId("b")))}
    happened = [visit(attendance(name=each.visit_id, start=each.start), of=each) for each in plans]
    verdict = judge(claim=claim(unnamed(30)), known=known(*happened, plans=plans)).verdicts[0]
    assert (verdict.verdict, verdict.reason) == (Verdict.QUERY, Reason.MATCH_UNCLEAR)
    assert "09:00 and 10:00" in verdict.words


def test_a_line_taken_for_another_start_says_so():
    """The provider could not see which visit paid the line."""
    verdict = judge(claim=claim(unnamed(10)), known=known(visit(attendance()))).verdicts[0]
    assert verdict.verdict is Verdict.PAY
    assert verdict.words.endswith("Taken for the visit planned at 09:00.")


starts = st.lists(st.integers(0, 20).map(lambda step: step * 20), min_size=1, max_size=4, unique=True)
claimed = st.lists(st.integers(0, 40).map(lambda step: step * 10 + 5), min_size=1, max_size=4, unique=True)


@given(starts, claimed)
def test_the_assignment_is_one_of_the_best_there_are(visit_minutes, line_minutes):
    """Compared with every assignment there is: one that pairs fewer, or further apart, would break this."""
    visits = [at(minutes, f"v{minutes}") for minutes in visit_minutes]
    lines = [unnamed(minutes, number + 1) for number, minutes in enumerate(line_minutes)]
    found = meant_visits(lines=lines, planned={each.visit_id: each for each in visits})
    best = _best(lines, visits)
    clear = {number: each.visit for number, each in found.items() if not each.rivals}
    unclear = {number for number, each in found.items() if each.rivals}
    assert any(all(one.get(n) == clear.get(n) for n in range(1, len(lines) + 1) if n not in unclear) for one in best)
    if len(best) == 1:
        assert not unclear
    shuffled = meant_visits(lines=lines[::-1], planned={each.visit_id: each for each in visits[::-1]})
    assert shuffled == found


def _best(lines, visits) -> list[dict[int, str]]:
    """Every best assignment, by trying all."""
    scored = []
    seats = [*visits, *(None for _ in lines)]
    for chosen in set(permutations(range(len(seats)), len(lines))):
        pairs = {each.line_no: seats[seat] for each, seat in zip(lines, chosen, strict=True) if seats[seat] is not None}
        by_no = {each.line_no: each for each in lines}
        gaps = [by_no[n].start - each.start for n, each in pairs.items()]
        if all(timedelta(minutes=-60) <= gap < timedelta(minutes=120) for gap in gaps):
            score = (len(pairs), -sum(abs(gap.total_seconds()) for gap in gaps))
            scored.append((score, {n: str(each.visit_id) for n, each in pairs.items()}))
    top = max(score for score, _ in scored)
    return list({tuple(sorted(one.items())): one for score, one in scored if score == top}.values())


def test_starts_are_compared_as_instants_across_the_clock_change():
    """On 25 October 2026 the local times 00:30 and 01:30 lie two hours apart, not one."""
    early = datetime(2026, 10, 24, 23, 30, tzinfo=UTC)
    night = replace(at(0, "a"), start=early + timedelta(hours=2))
    assert meant([replace(unnamed(0), start=early)], night) == {}
