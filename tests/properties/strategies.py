"""Small worlds of planned visits and evidence for the laws: few workers and customers close in time, so that everything collides."""

import random
from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import strategies as st

from evm.domain.evidence import EventKind, Evidence, Grade, Method
from evm.domain.ids import CustomerId, VisitId, WorkerId
from evm.domain.plan import PlannedVisit
from tests.domain.stories import DAY, amendment, event, home, planned

WORKERS = ("w1", "w2", "w3")
CUSTOMERS = ("c1", "c2", "c3")
HOMES = {CustomerId("c1"): home(), CustomerId("c2"): home(), CustomerId("c3"): home(2500)}
"""c1 and c2 are a couple: one home and one line."""
LINES = {CustomerId("c1"): ("+441614960001",), CustomerId("c2"): ("+441614960001",)}


@st.composite
def plans(draw: Any) -> list[PlannedVisit]:
    """One to six visits between 09:00 and noon, some adjoining, some for two workers."""
    found = []
    for number in range(draw(st.integers(1, 6))):
        slots = draw(st.sampled_from([1, 1, 1, 2]))
        found.append(
            planned(
                f"v{number}",
                DAY + timedelta(minutes=540 + 15 * draw(st.integers(0, 12))),
                draw(st.sampled_from([15, 30, 45])),
                customer=draw(st.sampled_from(CUSTOMERS)),
                workers_needed=slots,
                rostered=tuple(WorkerId(draw(st.sampled_from(WORKERS))) for _ in range(slots)),
            )
        )
    return found


@st.composite
def events(draw: Any, *, minutes: int = 240) -> Evidence:
    """A check-in or check-out around the morning, now and then with a claim, a conflict, a landline or a weak grade."""
    kind = draw(st.sampled_from([EventKind.CHECK_IN, EventKind.CHECK_OUT]))
    instant = DAY + timedelta(minutes=510 + draw(st.integers(0, minutes // 5)) * 5)
    changes: dict[str, Any] = {
        "worker": draw(st.sampled_from(WORKERS)),
        "customer": draw(st.sampled_from(CUSTOMERS)),
        "visit": draw(st.sampled_from([None, None, None, VisitId("v0"), VisitId("v1")])),
        "method": draw(st.sampled_from([Method.NFC, Method.LANDLINE])),
        "grade_place": draw(st.sampled_from([Grade.A, Grade.B, Grade.D])),
    }
    changes["body"] = f"{kind}|{instant}|{sorted(changes.items(), key=str)}"
    if draw(st.integers(0, 9)) == 0:
        changes["event_id"] = f"shared-{draw(st.integers(0, 2))}"
    made = event(kind, instant, **changes)
    return replace(made, received_at=made.at + timedelta(minutes=draw(st.integers(0, 600))))


@st.composite
def rarer_events(draw: Any) -> Evidence:
    """No reply, a refusal, an amendment (approved or not, sensible or not), or an event whose worker or customer nobody knows."""
    instant = DAY + timedelta(minutes=510 + draw(st.integers(0, 48)) * 5)
    kind = draw(
        st.sampled_from([EventKind.NO_REPLY, EventKind.CUSTOMER_REFUSED, EventKind.AMENDMENT, EventKind.CHECK_IN])
    )
    worker, customer = draw(st.sampled_from(WORKERS)), draw(st.sampled_from(CUSTOMERS))
    if kind is EventKind.AMENDMENT:
        times = [f"{9 + draw(st.integers(0, 2)):02}:{draw(st.sampled_from([0, 15, 50])):02}" for _ in range(2)]
        since, until = (draw(st.sampled_from([None, one])) for one in times)
        name = f"am-{instant:%H%M}-{worker}-{since}-{until}"
        by = draw(st.sampled_from([None, "manager", "coordinator"]))
        visit = draw(st.sampled_from(["v0", "v1", "v9"]))
        body = f"{by}-{visit}"
        return amendment(
            f"{instant:%H:%M}", visit=visit, since=since, until=until, by=by, worker=worker, event_id=name, body=body
        )
    if kind is EventKind.CHECK_IN:
        unknown = draw(st.sampled_from([{"worker": None}, {"customer": None}, {"worker": None, "customer": None}]))
        return event(kind, instant, **({"worker": worker, "customer": customer} | unknown))
    return event(kind, instant, worker=worker, customer=customer)


@st.composite
def worlds(draw: Any) -> tuple[list[PlannedVisit], list[Evidence]]:
    return draw(plans()), draw(st.lists(events(), min_size=1, max_size=12))


@st.composite
def messy_worlds(draw: Any) -> tuple[list[PlannedVisit], list[Evidence]]:
    """As `worlds`, with the rarer events among them."""
    either = st.one_of(events(), events(), events(), rarer_events())
    return draw(plans()), draw(st.lists(either, min_size=1, max_size=12))


@st.composite
def tidy_worlds(draw: Any) -> tuple[list[PlannedVisit], list[Evidence]]:
    """As `worlds`, but each worker and customer check in and out in turn, with no check-out too many."""
    found: list[Evidence] = []
    for worker in WORKERS:
        for customer in CUSTOMERS:
            minutes = sorted(draw(st.lists(st.integers(0, 240), max_size=6, unique=True)))
            for number, minute in enumerate(minutes):
                kind = EventKind.CHECK_OUT if number % 2 else EventKind.CHECK_IN
                method = draw(st.sampled_from([Method.NFC, Method.LANDLINE]))
                instant = DAY + timedelta(minutes=510 + minute)
                found.append(event(kind, instant, worker=worker, customer=customer, method=method))
    return draw(plans()), found


def shuffled(evidence: list[Evidence], seed: int) -> list[Evidence]:
    """The same evidence in another order, some of it twice."""
    chance = random.Random(seed)
    again = [*evidence, *(one for one in evidence if chance.random() < 0.4)]
    chance.shuffle(again)
    return again
