"""One stay over two adjoining planned visits of the same customer, split at the planned boundary before matching (rules.md). Not
couples, whose stays span two customers (couples.py)."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from itertools import pairwise

from evm.domain.attendances import Stay
from evm.domain.finding import Finding, FindingCode
from evm.domain.ids import CustomerId, VisitId
from evm.domain.matching import Opening
from evm.domain.period import Period, ends_at, seconds_between
from evm.domain.plan import PlannedVisit
from evm.domain.policy import Policy


def split_adjoining(
    *, stays: Sequence[Stay], plan: Sequence[PlannedVisit], openings: Sequence[Opening], policy: Policy
) -> list[Stay]:
    """The stays of one customer, where one that covers at least half of each of two adjoining visits, and nothing else fits either,
    has become two. `plan` and `openings` are that customer's, in the same order of start."""
    result = list(stays)
    for (first, second), (opening, next_opening) in zip(pairwise(plan), pairwise(openings), strict=True):
        if ends_at(start=first.start, minutes=first.minutes) == second.start:
            result = _split_between(result, (first, second), (opening, next_opening), policy)
    return result


def _split_between(
    stays: list[Stay], visits: tuple[PlannedVisit, PlannedVisit], openings: tuple[Opening, Opening], policy: Policy
) -> list[Stay]:
    spanning = [stay for stay in stays if covers_both(stay, visits, policy)]
    ids = {stay.attendance_id for stay in spanning}
    others = [stay for stay in stays if stay.attendance_id not in ids and _fits(stay, openings)]
    workers = {stay.worker for stay in spanning}
    room = min(visit.workers_needed for visit in visits)
    if not spanning or others or len(workers) < len(spanning) or len(spanning) > room:
        return stays
    split: list[Stay] = []
    for stay in stays:
        split += split_at(stay, visits[1].start) if stay.attendance_id in ids else [stay]
    return split


def covers_both(stay: Stay, visits: tuple[PlannedVisit, PlannedVisit], policy: Policy) -> bool:
    """Whether a closed stay, not claimed for one of the two alone, lies over at least half of each."""
    if stay.start is None or stay.end is None or stay.end < stay.start or _is_for_one(stay, visits):
        return False
    there = Period(start=stay.start, end=stay.end)
    return all(
        there.shared_seconds(Period(start=visit.start, end=ends_at(start=visit.start, minutes=visit.minutes)))
        >= policy.split_share_min * visit.minutes * 60
        for visit in visits
    )


def _is_for_one(stay: Stay, visits: tuple[PlannedVisit, PlannedVisit]) -> bool:
    assert stay.check_in is not None
    assert stay.check_out is not None
    named = (stay.check_in.visit, stay.check_out.visit)
    return named not in {(None, None), (visits[0].visit_id, visits[1].visit_id)}


def _fits(stay: Stay, openings: tuple[Opening, Opening]) -> bool:
    if stay.claimed is not None:
        return stay.claimed in {opening.visit_id for opening in openings}
    if stay.start is None:
        return False
    at = int(stay.start.timestamp())
    return any(opening.since <= at < opening.until for opening in openings)


def split_at(stay: Stay, boundary: datetime, *, customers: tuple[CustomerId, CustomerId] | None = None) -> list[Stay]:
    """The stay in two at `boundary`, each part keeping both events; no second is in both, and the cap holds for both."""
    assert stay.start is not None
    assert stay.end is not None
    first_customer, second_customer = customers or (stay.customer, stay.customer)
    sure_end = stay.end if stay.end_max is None else min(stay.end, stay.end_max)
    sure_start = sure_end if not stay.payable_seconds else _minus(sure_end, stay.payable_seconds)
    ids = tuple(sorted(event.event_id for event in stay.events))
    words = "One stay over two adjoining visits, split at the planned boundary."
    findings = (*stay.findings, Finding(code=FindingCode.SPLIT, words=words, evidence=ids))
    claims = _claims(stay)
    before = replace(
        stay,
        attendance_id=f"{stay.attendance_id}:1",
        customer=first_customer,
        end=boundary,
        end_max=None if stay.end_max is None else min(stay.end_max, boundary),
        claimed=claims[0],
        payable_seconds=max(0, seconds_between(sure_start, min(boundary, sure_end))),
        findings=findings,
    )
    after = replace(
        stay,
        attendance_id=f"{stay.attendance_id}:2",
        customer=second_customer,
        start=boundary,
        end_max=None if stay.end_max is None else max(stay.end_max, boundary),
        claimed=claims[1],
        payable_seconds=max(0, seconds_between(max(boundary, sure_start), sure_end)),
        findings=findings,
    )
    return [before, after]


def _minus(instant: datetime, seconds: int) -> datetime:
    return instant - timedelta(seconds=seconds)


def _claims(stay: Stay) -> tuple[VisitId | None, VisitId | None]:
    check_in = stay.check_in.visit if stay.check_in else None
    check_out = stay.check_out.visit if stay.check_out else None
    return check_in, check_out
