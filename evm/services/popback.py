"""Pop-backs: a customer asks for a visit outside the usual arrangement and is answered at once. Not the search for a place in the
roster (rostering.popback) and not its keeping (popback_keeping).

With the policy's notice (24 elapsed hours from receipt) it is promised if it can be done at all, else refused with the reason and the
nearest times; with less, alternatives that serve the outcome are offered (background S7). Every promise stands in a stored roster
that keeps it: the published one of that day (published anew with the visit in it), or else a draft."""

import hashlib
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from evm.domain.ids import CustomerId, VisitId
from evm.domain.occurrences import is_away
from evm.domain.people import Customer
from evm.domain.period import care_day, in_zone, seconds_between
from evm.domain.plan import Absence, PlannedVisit
from evm.domain.policy import Policy
from evm.domain.popback import Alternative, AlternativeKind, PopbackRequest, PopbackState, has_notice
from evm.services.popback_places import Placed, Places, find_places, put_in_roster
from evm.store import people, plans, popbacks, rosters
from evm.store.locks import hold, try_hold

MINUTES_MAX: Final = 240
NEAREST_TIMES_MAX: Final = 3
LONGER_WITHIN_DAYS: Final = 2


class PopbackInvalid(ValueError):  # noqa: N818 -- named for what is wrong
    """A request that cannot be understood: the field and the sentence a person reads. Nothing is stored."""

    def __init__(self, *, field: str, words: str) -> None:
        super().__init__(words)
        self.field = field
        self.words = words


@dataclass(frozen=True, slots=True, kw_only=True)
class _Needs:
    """What the customer's task plan in force says a visit to them may need: the most workers and every skill it ever asks for."""

    version: int
    workers: int
    skills: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class PopbackAnswer:
    """What the customer is told. `visit_id` is set when promised; `moved` says which other visits start at another time for it,
    inside their windows; `alternatives` are offered when it is not promised."""

    request_id: str
    state: PopbackState
    words: str
    visit_id: VisitId | None = None
    alternatives: tuple[Alternative, ...] = ()
    moved: tuple[str, ...] = ()


def ask(
    session: Session,
    *,
    customer_id: CustomerId,
    asked_at: datetime,
    asked_by: str,
    wanted_at: datetime,
    minutes: int,
    workers_needed: int | None = None,
    now: datetime,
    policy: Policy,
    request_id: str | None = None,
) -> PopbackAnswer:
    """Answer a pop-back and store request and answer; a request of the same id gets the answer that it got before.

    `asked_at` is when the request reached us, whoever brought it. `request_id` None: derived from what is asked, so that the same
    form sent twice is one request. `workers_needed` None: as many as the customer's task plan ever sends; the skills that the plan asks
    for are asked for here, too. Raises PopbackInvalid."""
    customer = _checked(session, customer_id, asked_at, wanted_at, minutes, workers_needed)
    needs = _needs(session, customer_id, on=in_zone(wanted_at, zone=policy.zone).date())
    request = PopbackRequest(
        request_id=request_id or _derived_id(customer_id, asked_at, asked_by, wanted_at, minutes),
        customer_id=customer_id,
        asked_at=asked_at,
        asked_by=asked_by,
        wanted_at=wanted_at,
        minutes=minutes,
        workers_needed=needs.workers if workers_needed is None else workers_needed,
    )
    hold(session, names=[f"popback|{request.request_id}"])
    known = plans.popback_request(session, request_id=request.request_id)
    if known is not None:
        return _answer_of(known)
    on = care_day(wanted_at, zone=policy.zone)
    rosters.hold_day(session, locality_id=customer.locality_id, provider_id=customer.provider_id, day=on)
    answered, placed = _answered(session, request, customer, needs, now=now, policy=policy)
    if placed is None:
        plans.add_popback_request(session, request=answered)
        return _answer_of(answered)
    plans.add_planned_visits(session, visits=[placed.visit], zone=policy.zone)
    plans.add_popback_request(session, request=answered)
    put_in_roster(session, placed=placed, by=asked_by, now=now, policy=policy)
    return replace(_answer_of(answered), moved=placed.moved)


def answer_pending(session: Session, *, now: datetime, policy: Policy, limit: int = 3) -> tuple[PopbackAnswer, ...]:
    """Answer the pop-backs that phones have sent and nobody answered yet, the first received first. Idempotent: the event's id is the
    request's. One that cannot be understood is stored as refused with the reason, so that it is answered, too."""
    if not try_hold(session, name="popbacks"):
        return ()  # another process is answering them
    found = []
    for asked in popbacks.unanswered(session, limit=limit):
        try:
            answer = ask(
                session,
                customer_id=asked.customer_id,
                asked_at=asked.received_at,
                asked_by=asked.asked_by,
                wanted_at=asked.wanted_at,
                minutes=asked.minutes,
                now=now,
                policy=policy,
                request_id=asked.event_id,
            )
        except PopbackInvalid as wrong:
            answer = _refuse_misunderstood(session, asked=asked, words=wrong.words)
        found.append(answer)
    return tuple(found)


def places_for(
    session: Session,
    *,
    customer_id: CustomerId,
    wanted_at: datetime,
    minutes: int,
    workers_needed: int | None = None,
    policy: Policy,
) -> Places:
    """Ranked ways to serve a pop-back with all their consequences, for the office to look at; nothing is stored or promised."""
    customer = _checked(session, customer_id, None, wanted_at, minutes, workers_needed)
    needs = _needs(session, customer_id, on=in_zone(wanted_at, zone=policy.zone).date())
    visit = _visit("preview", customer, wanted_at, minutes, workers_needed or needs.workers, needs)
    return find_places(session, visit=visit, policy=policy)


def _checked(
    session: Session,
    customer_id: CustomerId,
    asked_at: datetime | None,
    wanted_at: datetime,
    minutes: int,
    workers_needed: int | None,
) -> Customer:
    customer = people.customer(session, customer_id=customer_id)
    if customer is None:
        raise PopbackInvalid(field="customer_id", words="There is no such customer.")
    if not 1 <= minutes <= MINUTES_MAX:
        raise PopbackInvalid(field="minutes", words=f"A pop-back lasts 1 to {MINUTES_MAX} minutes.")
    if workers_needed is not None and not 1 <= workers_needed <= 2:
        raise PopbackInvalid(field="workers_needed", words="One or two workers can be sent.")
    if wanted_at.tzinfo is None or wanted_at.second or wanted_at.microsecond:
        raise PopbackInvalid(field="wanted_at", words="Give the time to the minute, with its UTC offset.")
    if asked_at is not None and wanted_at <= asked_at:
        raise PopbackInvalid(field="wanted_at", words="The time asked for has passed.")
    return customer


def _answered(
    session: Session, request: PopbackRequest, customer: Customer, needs: _Needs, *, now: datetime, policy: Policy
) -> tuple[PopbackRequest, Placed | None]:
    """The request with its answer, and where it was placed if it is promised."""
    at = request.wanted_at
    visit = _visit(request.request_id, customer, at, request.minutes, request.workers_needed, needs)
    reason = _in_the_way(session, visit, policy=policy)
    if reason:
        return _refused(session, request, reason, others=(), policy=policy), None
    enough = has_notice(asked_at=request.asked_at, wanted_at=at, notice_hours=policy.popback_notice_hours)
    places = find_places(session, visit=visit, policy=policy, limit=1 if enough else NEAREST_TIMES_MAX)
    if not enough:
        reason = f"A pop-back is promised with {policy.popback_notice_hours} hours' notice; there are fewer."
        soon = [start for start in places.starts if start > now]
        return _refused(session, request, reason, others=soon, policy=policy), None
    if places.best is None:
        others = [start for start in places.other_starts if start > now]
        return _refused(session, request, places.reason, others=others, policy=policy), None
    words = f"Promised: {_when(places.best.start, policy)} for {request.minutes} minutes."
    promised = replace(request, state=PopbackState.PROMISED, visit_id=visit.visit_id, answer=words)
    return promised, places.best


def _refused(
    session: Session, request: PopbackRequest, reason: str, *, others: list[datetime] | tuple[()], policy: Policy
) -> PopbackRequest:
    return replace(
        request,
        state=PopbackState.REFUSED,
        answer=reason,
        alternatives=_alternatives(session, request, others=tuple(others), policy=policy),
    )


def _alternatives(
    session: Session, request: PopbackRequest, *, others: tuple[datetime, ...], policy: Policy
) -> tuple[Alternative, ...]:
    """Other times somebody could come, a longer next visit, and a phone call."""
    found = [
        Alternative(
            kind=AlternativeKind.ANOTHER_TIME,
            words=f"Somebody could come {_when(start, policy)}.",
            at=start,
            minutes=request.minutes,
        )
        for start in others[:NEAREST_TIMES_MAX]
    ]
    following = _next_visit(session, request, policy=policy)
    if following is not None:
        minutes = following.minutes + request.minutes
        words = f"The visit {_when(following.start, policy)} could be longer: {minutes} minutes."
        found.append(
            Alternative(
                kind=AlternativeKind.LONGER_NEXT_VISIT,
                words=words,
                at=following.start,
                minutes=minutes,
                visit_id=following.visit_id,
            )
        )
    found.append(Alternative(kind=AlternativeKind.PHONE_CALL, words="The office can ring at the time asked for."))
    return tuple(found)


def _next_visit(session: Session, request: PopbackRequest, *, policy: Policy) -> PlannedVisit | None:
    day = in_zone(request.asked_at, zone=policy.zone).date()
    coming = plans.planned_visits(
        session,
        customer_id=request.customer_id,
        since_day=day,
        until_day=in_zone(request.wanted_at, zone=policy.zone).date() + timedelta(days=LONGER_WITHIN_DAYS),
    )
    standing = [visit for visit in coming if visit.cancelled is None and visit.start > request.asked_at]
    return min(
        standing,
        key=lambda visit: (abs(seconds_between(visit.start, request.wanted_at)), visit.start, visit.visit_id),
        default=None,
    )


def _in_the_way(session: Session, visit: PlannedVisit, *, policy: Policy) -> str:
    """Why no worker needs to be looked for: the customer is away, or somebody is due then anyway. Empty: nothing."""
    until = visit.start + timedelta(minutes=visit.minutes)
    spells: tuple[Absence, ...] = plans.absences(
        session, customer_ids=[visit.customer_id], since=visit.start, until=until
    )
    if is_away(visit, absences=spells):
        return "The customer is recorded as away at that time."
    day = in_zone(visit.start, zone=policy.zone).date()
    near = plans.planned_visits(
        session,
        customer_id=visit.customer_id,
        since_day=day - timedelta(days=1),
        until_day=day + timedelta(days=2),
    )
    for other in near:
        ends = other.start + timedelta(minutes=other.minutes)
        if other.cancelled is None and other.start < until and visit.start < ends:
            return f"A visit is planned {_when(other.start, policy)} already; it could be longer."
    return ""


def _visit(
    request_id: str, customer: Customer, at: datetime, minutes: int, workers_needed: int, needs: _Needs
) -> PlannedVisit:
    digest = hashlib.sha256(f"pop-back|{request_id}".encode()).hexdigest()
    return PlannedVisit(
        visit_id=VisitId("p" + digest[:24]),
        customer_id=customer.customer_id,
        provider_id=customer.provider_id,
        locality_id=customer.locality_id,
        start=at,
        minutes=minutes,
        workers_needed=workers_needed,
        rostered=(None,) * workers_needed,
        skills_required=needs.skills,
        task_plan_version=needs.version,
        popback=True,
    )


def _needs(session: Session, customer_id: CustomerId, *, on: date) -> _Needs:
    in_force = plans.task_plans(session, customer_ids=[customer_id], on=on)
    patterns = in_force[0].patterns if in_force else ()
    return _Needs(
        version=in_force[0].version if in_force else 1,
        workers=max((pattern.workers_needed for pattern in patterns), default=1),
        skills=frozenset(skill for pattern in patterns for skill in pattern.skills_required),
    )


def _derived_id(customer_id: CustomerId, asked_at: datetime, asked_by: str, wanted_at: datetime, minutes: int) -> str:
    asked = f"{customer_id}|{asked_at.isoformat()}|{asked_by}|{wanted_at.isoformat()}|{minutes}"
    return "q" + hashlib.sha256(asked.encode()).hexdigest()[:24]


def _answer_of(request: PopbackRequest) -> PopbackAnswer:
    return PopbackAnswer(
        request_id=request.request_id,
        state=request.state,
        words=request.answer or "",
        visit_id=request.visit_id,
        alternatives=request.alternatives,
    )


def _refuse_misunderstood(session: Session, *, asked: popbacks.AskedByPhone, words: str) -> PopbackAnswer:
    request = PopbackRequest(
        request_id=asked.event_id,
        customer_id=asked.customer_id,
        asked_at=asked.received_at,
        asked_by=asked.asked_by,
        wanted_at=asked.wanted_at,
        minutes=asked.minutes,
        state=PopbackState.REFUSED,
        answer=words,
    )
    plans.add_popback_request(session, request=request)
    return _answer_of(request)


def _when(instant: datetime, policy: Policy) -> str:
    local = in_zone(instant, zone=policy.zone)
    return f"on {local:%A} {local.day} {local:%B} at {local:%H:%M}"
