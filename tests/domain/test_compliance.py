"""Compliance with electronic monitoring, and reassessment by what was commissioned."""

from fractions import Fraction

from evm.domain.compliance import compliance
from evm.domain.evidence import EventKind
from evm.domain.ids import CustomerId, VisitId
from evm.domain.plan import Cancellation, CancelledBy
from evm.domain.policy import Policy
from evm.domain.reassessment import Concern, reassessments
from tests.domain.stories import amendment, at, check_in, event, planned, stay, visits_of


def shares(visits):
    found = compliance(visits=visits)
    return found.providers[0][1].share, {worker: share.share for _, worker, share in found.workers}


def test_only_visits_with_both_events_are_electronic():
    """Broken: S1's figure, by which providers are told apart (90 % and 40 %)."""
    plan = [planned(f"v{hour}", f"{hour}:00") for hour in ("09", "12", "15", "18")]
    said = amendment("20:00", visit="v15", since=None, until="15:28", by="manager")
    events = [*stay("09:00", "09:30"), check_in("12:00"), check_in("15:00"), said]
    provider, workers = shares(visits_of(plan, events, now=at("23:00")))
    assert provider == Fraction(1, 3)
    assert workers == {"w1": Fraction(1, 3)}


def test_unplanned_attendances_are_not_visits_delivered():
    """Broken: check-ins in the office car park would raise the figure."""
    found = compliance(visits=visits_of([planned()], stay("03:00", "03:30")))
    assert found.providers == ()


def month(hours, make, **changes):
    """28 days of one visit of 30 minutes each; `make(day)` gives the events and changes of the plan."""
    plan, events = [], []
    for day in range(hours):
        extra, said = make(day)
        start = at("09:00", day=day)
        plan.append(planned(f"v{day}", start, **extra))
        events += said
    visits = visits_of(plan, events, now=at("23:00", day=hours))
    return reassessments(
        customer=CustomerId("c1"),
        commissioned_minutes_week=210,
        visits=visits,
        plan={one.visit_id: one for one in plan},
        policy=Policy(),
        **changes,
    )


def attended(day, minutes):
    start = at("09:00", day=day)
    end = at(f"09:{minutes}", day=day)
    return [check_in(start), event(EventKind.CHECK_OUT, end)]


def test_what_was_commissioned_and_given_calls_for_nothing():
    """Broken: every customer would be reassessed."""
    assert month(28, lambda day: ({}, attended(day, 29))) == ()


def test_visits_kept_short_by_the_customer_call_for_a_reassessment_with_its_numbers():
    """Broken: S4: time below the allocation would trigger nothing."""
    (request,) = month(28, lambda day: ({}, attended(day, 20)))
    assert request.concern is Concern.REASSESSMENT
    assert (request.evidenced_minutes, request.commissioned_minutes) == (560, 840)
    assert "560 of 840" in request.words


def test_what_the_provider_did_not_give_is_a_concern_about_the_provider_alone():
    """Broken: missed visits would cut the person's package."""
    (request,) = month(28, lambda day: ({}, attended(day, 30) if day % 2 else []))
    assert request.concern is Concern.PROVIDER_SHORTFALL
    assert request.provider_minutes == 14 * 30
    cancelled = Cancellation(at=at("08:00"), by=CancelledBy.PROVIDER, reason="no staff")
    (request,) = month(28, lambda day: ({}, attended(day, 30)) if day % 2 else ({"cancelled": cancelled}, []))
    assert request.concern is Concern.PROVIDER_SHORTFALL


def test_crammed_visits_are_the_providers():
    """Broken: a worker's call cramming would read as the person needing less."""
    crammed = {VisitId(f"v{day}") for day in range(28)}
    (request,) = month(28, lambda day: ({}, attended(day, 20)), crammed=crammed)
    assert request.concern is Concern.PROVIDER_SHORTFALL


def test_visits_the_customer_called_off_count_as_the_customers():
    """Broken: a person who no longer needs half the visits would go unseen."""
    cancelled = Cancellation(at=at("08:00"), by=CancelledBy.CUSTOMER, reason="better")
    (request,) = month(28, lambda day: ({}, attended(day, 30)) if day % 2 else ({"cancelled": cancelled}, []))
    assert request.concern is Concern.REASSESSMENT


def test_three_refusals_are_enough_by_themselves():
    """Broken: refusals would be averaged away."""

    def make(day):
        refused = [event(EventKind.CUSTOMER_REFUSED, at("09:05", day=day))]
        return ({}, refused if day < 3 else attended(day, 30))

    (request,) = month(28, make)
    assert request.concern is Concern.REASSESSMENT
    assert request.refusals == 3


def test_seven_visits_are_too_few_to_judge():
    """Broken: a first week would trigger a review."""
    assert month(7, lambda day: ({}, attended(day, 10))) == ()
