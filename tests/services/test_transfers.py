"""Provider change: who passes, whose the evidence of which day is, and that nothing is lost or doubled. Not the command
(tests/api/test_transfer_commands.py)."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta

import pytest
from sqlalchemy import Engine, event, func, select, text, update
from sqlalchemy.orm import Session, sessionmaker

from devices.calls import complete
from devices.types import Decoded
from evm.domain.billing.invoice import Verdict
from evm.domain.contract import Contract
from evm.domain.evidence import EventKind
from evm.domain.ids import ProviderId
from evm.domain.people import Locality, Provider
from evm.domain.plan import Absence, AbsenceKind, SupportPlan
from evm.domain.popback import PopbackRequest, PopbackState
from evm.domain.transfer import Passed, TransferState
from evm.domain.visit import VisitOutcome
from evm.services import cramming, plan, price, reconcile, transfer_rosters, transfers, watch
from evm.services import invoice as invoices
from evm.services.roster import RosterRefused, adopt, publish
from evm.services.roster_deadlines import publish_deadlines
from evm.services.roster_problem import Wishes, load_day, problem_of
from evm.services.transfers import TransferRefused, Wanted
from evm.store import alerts, areas, deadlines, evidence, ingest_state, money, outbox, people, plans, rosters, visits
from evm.store import transfers as store
from evm.store.rosters import RosterState
from evm.store.tables import metadata
from evm.store.tables.evidence import evidence as evidence_table
from tests import factories
from tests.factories import COUNCIL, LOCALITY, PROVIDER
from tests.planning import a_pattern, a_task_plan
from tests.services.invoicing import claim, line
from tests.services.passing import (
    BEFORE,
    DAY,
    LATER,
    MIDNIGHT,
    MINUTE,
    NEW,
    POLICY,
    WANTED,
    at,
    happened,
    minutes_of,
    passed,
    reconciled,
    said,
    settle,
    stay,
)


@pytest.fixture
def town(session: Session) -> Session:
    settle(session)
    return session


def test_before_on_and_after_the_day_each_visit_is_its_own_providers(town: Session) -> None:
    """Broken: a visit of Wednesday would be claimed by the new provider, or Thursday's by the old one."""
    said(town, *stay(at(4)))
    passed(town)
    said(town, *stay(at(5)), *stay(at(6)))
    reconciled(town)
    found = {day: happened(town, f"c1-{day}") for day in (4, 5, 6)}
    assert [(found[day].provider, minutes_of(town, f"c1-{day}")) for day in (4, 5, 6)] == [
        (PROVIDER, 30),
        (NEW, 30),
        (NEW, 30),
    ]
    planned = plans.planned_visits(town, customer_id="c1", since_day=date(2026, 11, 2), until_day=date(2026, 11, 9))
    assert [visit.provider_id for visit in planned] == [PROVIDER] * 3 + [NEW] * 4
    assert all(visit.rostered == ("w1",) for visit in planned)
    others = plans.planned_visits(town, customer_id="c2", since_day=date(2026, 11, 2), until_day=date(2026, 11, 9))
    assert {visit.provider_id for visit in others} == {PROVIDER}


def test_an_old_phone_still_counts_after_the_day(town: Session) -> None:
    """Broken: a worker who passed without a new credential in her phone would lose her wage, and the customer's visit would be missed."""
    passed(town)
    said(town, *stay(at(5)))
    rows = evidence.events(town)
    assert [(row.evidence.provider, row.evidence.worker, row.evidence.customer) for row in rows] == [
        (PROVIDER, "w1", "c1")
    ] * 2
    reconciled(town)
    visit = happened(town, "c1-5")
    assert (visit.provider, visit.outcome, minutes_of(town, "c1-5")) == (NEW, VisitOutcome.DELIVERED, 30)
    marks = {mark.provider for mark in ingest_state.watermarks(town)}
    assert marks == {PROVIDER, NEW}, "the new provider is heard of, too: it is not blind"


def test_a_new_phone_brings_what_was_captured_before_the_day(town: Session) -> None:
    """Broken: an outbox that is sent with the new credential would bring evidence of nobody."""
    people.add_devices(town, devices=[factories.device("p1", provider=NEW)])
    passed(town)
    said(town, *stay(at(4), provider=NEW, visit="c1-4"), now=at(5))
    reconciled(town)
    assert (happened(town, "c1-4").provider, minutes_of(town, "c1-4")) == (PROVIDER, 30)


def test_a_new_phone_works_before_the_day_as_well(town: Session) -> None:
    """Broken: whoever is handed her new phone a day early could not check in with it."""
    transfers.order(town, wanted=WANTED, now=BEFORE, by="test", policy=POLICY)
    people.add_devices(town, devices=[factories.device("p1", provider=NEW)])
    said(town, *stay(at(4), provider=NEW))
    reconciled(town)
    assert (happened(town, "c1-4").provider, minutes_of(town, "c1-4")) == (PROVIDER, 30)


def test_a_worker_who_stays_cannot_speak_for_a_customer_who_went(town: Session) -> None:
    """Broken: the old provider's phones would go on writing into the new provider's visits."""
    passed(town)
    said(town, *stay(at(6), device="p2", worker="w2"))
    assert [row.evidence.customer for row in evidence.events(town)] == [None, None]


def test_strangers_stay_strangers(town: Session) -> None:
    """Broken: passing would open everybody to everybody's devices."""
    people.add_devices(town, devices=[factories.device("p9", provider=NEW, worker=None)])
    said(town, *stay(at(4), provider=NEW, device="p9", worker="w2", tag="tag-c2"))
    assert [(row.evidence.worker, row.evidence.customer) for row in evidence.events(town)] == [(None, None)] * 2


def test_a_night_visit_over_the_midnight_is_the_old_providers(town: Session) -> None:
    """Broken: the check-out after midnight would be lost, and with it the night's wage."""
    night = factories.planned_visit(
        "night", start=datetime(2026, 11, 4, 23, 30, tzinfo=UTC), minutes=60, rostered=("w2",)
    )
    plans.add_planned_visits(town, visits=[night])
    passed(town)
    came, went = stay(night.start, 60, device="p2", worker="w2")
    said(town, came, went, now=MIDNIGHT + timedelta(hours=1))
    reconciled(town)
    assert (happened(town, "night").provider, minutes_of(town, "night")) == (PROVIDER, 60)


def test_after_the_day_only_her_own_old_phone_speaks_for_her(town: Session) -> None:
    """Broken: any phone of the old provider could go on writing visits of a worker who left."""
    passed(town)
    said(town, *stay(at(6), device="p2", worker="w1"))
    assert [row.evidence.worker for row in evidence.events(town)] == [None, None]


def test_her_old_phone_also_counts_at_the_new_providers_other_customers(town: Session) -> None:
    """Broken: on her first day a worker would have to know which customer came with her."""
    people.add_customers(town, customers=[factories.customer("c9", provider_id=NEW, home=factories.home(900))])
    passed(town)
    said(town, *stay(at(6), tag="tag-c9"))
    assert [row.evidence.customer for row in evidence.events(town)] == ["c9", "c9"]


def test_a_worker_who_leaves_ends_the_last_evenings_stay_by_the_new_phone(town: Session) -> None:
    """Broken: the last night at a customer who stays would be a forgotten check-out."""
    night = factories.planned_visit(
        "night", customer="c2", start=datetime(2026, 11, 4, 23, 30, tzinfo=UTC), minutes=60, rostered=("w1",)
    )
    plans.add_planned_visits(town, visits=[night])
    people.add_devices(town, devices=[factories.device("p1", provider=NEW)])
    passed(town)
    came, went = stay(night.start, 60, tag="tag-c2")
    said(town, came, replace(went, provider=NEW), now=MIDNIGHT + timedelta(hours=1))
    reconciled(town)
    assert (happened(town, "night").provider, minutes_of(town, "night")) == (PROVIDER, 60)
    said(town, *stay(at(6), tag="tag-c2", provider=NEW))
    assert [row.evidence.customer for row in evidence.events(town)][2:] == [None, None]


def test_a_pin_typed_at_the_old_providers_line_is_still_hers(town: Session) -> None:
    """Broken: a worker who rings the number she knows would be nobody from the day on."""
    passed(town)
    said(town, *stay(at(5), worker=None, device="desk", worker_pin="1111"))
    assert [row.evidence.worker for row in evidence.events(town)] == ["w1", "w1"]


def test_the_second_call_by_an_old_pin_ends_the_stay(town: Session) -> None:
    """Broken: both calls would be check-ins, and the stay would have no end and no wage."""
    line = "+441614960077"
    people.add_customers(town, customers=[factories.customer("c8", provider_id=NEW, landlines=(line,))])
    passed(town)
    call = {"worker": None, "worker_pin": "1111", "line": line, "tag": None, "device": "landline"}
    said(town, factories.claim(EventKind.CHECK_IN, at=at(5), **call))
    second = Decoded(claim=factories.claim(EventKind.CHECK_IN, at=at(5, minutes=30), **call), payload=b"")
    found = complete(town, decoded=second, now=at(5, minutes=30))
    assert found is not None
    assert found.claim.kind is EventKind.CHECK_OUT


def test_late_evidence_of_the_last_day_still_pays_the_old_provider(town: Session) -> None:
    """Broken: the old provider's invoice for days before would lose its lines when customers have gone."""
    said(town, factories.claim(EventKind.CHECK_IN, at=at(4)))
    passed(town)
    reconciled(town, now=at(5))
    first = claim(line(1, visit=None), period_until=date(2026, 11, 5))
    own = replace(first.lines[0], visit="c1-4", start=at(4), customer="c1")
    sent = replace(first, lines=(own,))
    invoice_id = invoices.submit(town, invoice=sent, now=LATER)
    assert invoices.judge(town, invoice_id=invoice_id, now=LATER, policy=POLICY).withheld_pence == 1365
    said(town, factories.claim(EventKind.CHECK_OUT, at=at(4, minutes=30)))
    reconciled(town, now=LATER + MINUTE)
    invoices.rejudge_behind(town, now=LATER + MINUTE, policy=POLICY)
    assert invoices.invoice(town, invoice_id=invoice_id).totals.payable_pence == 1365


def test_an_absence_before_the_day_still_holds_the_old_providers_line(town: Session) -> None:
    """Broken: a visit claimed while the customer lay in hospital would be paid once the customer is another's."""
    spell = Absence(customer_id="c1", kind=AbsenceKind.HOSPITAL, since=at(3, minutes=-60), until=at(3, minutes=600))
    plans.add_absences(town, absences=[spell])
    said(town, *stay(at(3)))
    passed(town)
    reconciled(town)
    first = claim(line(1), period_until=date(2026, 11, 5))
    sent = replace(first, lines=(replace(first.lines[0], visit="c1-3", start=at(3)),))
    invoice_id = invoices.submit(town, invoice=sent, now=LATER)
    invoices.judge(town, invoice_id=invoice_id, now=LATER, policy=POLICY)
    assert invoices.lines_of(town, invoice_id=invoice_id)[0].verdict.verdict is not Verdict.PAY


def test_nothing_is_lost_or_doubled_over_the_providers(town: Session) -> None:
    """Broken: visits, minutes or pence would differ by the transfer alone."""

    def sums() -> tuple[int, int, int]:
        for provider in (PROVIDER, NEW):
            reconcile.reconcile_days(
                town,
                provider_id=provider,
                since_day=date(2026, 11, 2),
                until_day=date(2026, 11, 9),
                now=LATER,
                policy=POLICY,
            )
            price.price_days(
                town, provider_id=provider, since_day=date(2026, 11, 2), until_day=date(2026, 11, 9), policy=POLICY
            )
        newest = visits.newest(town, since_day=date(2026, 11, 2), until_day=date(2026, 11, 9))
        charged = [
            charge
            for visit in newest
            for charge in money.charges(town, visit_key=visits.visit_key(visit), visit_version=visit.version)
        ]
        return (
            len(newest),
            sum(slot.attendance.minutes for visit in newest for slot in visit.slots if slot.attendance),
            sum(charge.pence for charge in charged),
        )

    for day in range(2, 9):
        said(
            town, *stay(at(day), 25 + day), *stay(at(day, minutes=60), 20 + day, device="p2", worker="w2", tag="tag-c2")
        )
    reconciled(town)
    before = sums()
    passed(town)
    reconciled(town, now=LATER + MINUTE)
    assert sums() == before
    assert before[0] == 14
    assert before[1] == sum(45 + 2 * day for day in range(2, 9))
    by_provider = [
        len(visits.newest(town, since_day=date(2026, 11, 2), until_day=date(2026, 11, 9), provider_id=provider))
        for provider in (PROVIDER, NEW)
    ]
    assert by_provider == [10, 4]


def test_evidence_rows_are_untouched(town: Session) -> None:
    """Broken: the log would say that something was received of somebody else."""
    said(town, *stay(at(4)))
    before = [(row.evidence, row.payload) for row in evidence.events(town)]
    passed(town)
    assert [(row.evidence, row.payload) for row in evidence.events(town)] == before
    assert town.execute(select(func.count()).select_from(evidence_table)).scalar_one() == 2


def test_a_missed_visit_after_the_day_alerts_the_new_provider(town: Session) -> None:
    """Broken: the old provider would be paged for a customer it has no more, and the new one would sleep."""
    planned = plans.planned_visits(town, customer_id="c1", since_day=date(2026, 11, 4), until_day=date(2026, 11, 6))
    publish_deadlines(town, visits=planned, policy=POLICY, now=BEFORE)
    passed(town)
    watch.sweep(town, now=at(5, minutes=90), policy=POLICY)
    raised = alerts.alert_list(town)
    assert {(one.visit, one.provider) for one in raised} == {("c1-4", PROVIDER), ("c1-5", NEW)}
    assert deadlines.overdue_count(town, now=at(5, minutes=90)) == 0


def test_a_call_for_help_by_an_old_phone_pages_the_new_provider(town: Session) -> None:
    """Broken: a worker's call for help would go to an office she does not work for."""
    passed(town)
    said(town, factories.claim(EventKind.ASSISTANCE, at=at(5)))
    assert [one.provider for one in alerts.alert_list(town)] == [NEW]


def test_published_rosters_are_split_and_runs_go_on(town: Session) -> None:
    """Broken: on the morning of the day nobody would be on the new provider's visits, or the old one would still see them."""
    for day in (4, 5):
        on = date(2026, 11, day)
        draft = adopt(
            town, locality_id=LOCALITY, provider_id=PROVIDER, day=on,
            workers={f"c1-{day}": ["w1"], f"c2-{day}": ["w2"]}, now=BEFORE, policy=POLICY,
        )  # fmt: skip
        publish(town, roster_id=draft, by="test", now=BEFORE, policy=POLICY)
    passed(town)
    standing = [
        (
            one.provider_id,
            one.day.day,
            sorted((run["worker"], [stop["customer"] for stop in run["stops"]]) for run in one.body["runs"]),
        )
        for one in rosters.list_rosters(
            town, since_day=date(2026, 11, 4), until_day=date(2026, 11, 6), state=RosterState.PUBLISHED
        )
    ]
    assert standing == [
        (PROVIDER, 4, [("w1", ["c1"]), ("w2", ["c2"])]),
        (NEW, 5, [("w1", ["c1"])]),
        (PROVIDER, 5, [("w2", ["c2"])]),
    ]


def test_a_roster_that_passes_whole_stays_as_it_was(town: Session) -> None:
    """Broken: when a whole locality passes, times agreed with customers or a pop-back's place would be lost on the way."""
    on = date(2026, 11, 5)
    draft = adopt(
        town, locality_id=LOCALITY, provider_id=PROVIDER, day=on,
        workers={"c1-5": ["w1"], "c2-5": ["w2"]}, now=BEFORE, policy=POLICY,
    )  # fmt: skip
    publish(town, roster_id=draft, by="test", now=BEFORE, policy=POLICY)
    people.add_devices(town, devices=[factories.device("p1", provider=NEW)])
    passed(town, Wanted(from_provider=PROVIDER, to_provider=NEW, on_day=DAY, locality_id=LOCALITY))
    before = rosters.roster(town, roster_id=draft)
    (standing,) = rosters.list_rosters(town, since_day=on, until_day=date(2026, 11, 6), state=RosterState.PUBLISHED)
    assert (before.state, standing.provider_id, standing.body) == (RosterState.SUPERSEDED, NEW, before.body)
    told = {row.address for row in outbox.take(town, channel=outbox.DOWN, limit=20)}
    assert f"{NEW}/p1" in told, "the new credential's phone hears of its run"


def test_a_roster_that_cannot_be_made_again_holds_nothing_up(town: Session, monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken: one odd roster would keep a whole locality with the old provider, night after night."""
    on = date(2026, 11, 5)
    draft = adopt(
        town, locality_id=LOCALITY, provider_id=PROVIDER, day=on,
        workers={"c1-5": ["w1"], "c2-5": ["w2"]}, now=BEFORE, policy=POLICY,
    )  # fmt: skip
    publish(town, roster_id=draft, by="test", now=BEFORE, policy=POLICY)

    def refused(*_args: object, **_kwargs: object) -> str:
        raise RosterRefused("cannot be")

    monkeypatch.setattr(transfer_rosters, "adopt", refused)
    passed(town)
    assert rosters.list_rosters(town, since_day=on, until_day=date(2026, 11, 6), state=RosterState.PUBLISHED) == ()
    (visit,) = plans.planned_visits_of(town, visit_ids=["c1-5"])
    assert (visit.provider_id, visit.rostered) == (NEW, ("w1",))
    told = outbox.take(town, channel=outbox.NOTIFY, limit=10)
    assert all(
        "Make these rosters anew: kindly m14 2026-11-05, bright m14 2026-11-05." in row.body["words"] for row in told
    )


def test_a_promised_popback_goes_along(town: Session) -> None:
    """Broken: what was promised to a customer would be forgotten with the provider that promised it."""
    plans.add_planned_visits(
        town, visits=[factories.planned_visit("pop", start=at(6, minutes=300), popback=True, rostered=("w1",))]
    )
    request = PopbackRequest(
        request_id="q1", customer_id="c1", asked_at=BEFORE, asked_by="Ada", wanted_at=at(6, minutes=300), minutes=30,
        workers_needed=1, state=PopbackState.PROMISED, visit_id="pop", answer="Promised.",
    )  # fmt: skip
    plans.add_popback_request(town, request=request)
    assert transfers.preview(town, wanted=WANTED, now=BEFORE, policy=POLICY).popbacks_promised == 1
    passed(town)
    (kept,) = plans.list_popback_requests(town, provider_id=NEW)
    (visit,) = plans.planned_visits_of(town, visit_ids=["pop"])
    assert (kept.state, visit.provider_id, visit.popback, visit.rostered) == (PopbackState.PROMISED, NEW, True, ("w1",))


def test_whoever_parts_from_a_customer_is_taken_off(town: Session) -> None:
    """Broken: the old provider's worker would be expected at a customer it has no more."""
    passed(town, replace(WANTED, workers=()))
    coming = plans.planned_visits(town, customer_id="c1", since_day=date(2026, 11, 4), until_day=date(2026, 11, 6))
    assert [visit.rostered for visit in coming] == [("w1",), (None,)]
    told = outbox.take(town, channel=outbox.NOTIFY, limit=10)
    assert {row.address for row in told} == {PROVIDER, NEW}
    assert all("put somebody on them" in row.body["words"] for row in told)


def test_who_came_before_a_late_order_stays_on_the_visit(town: Session) -> None:
    """Broken: a transfer ordered days after its day would rub out who had been planned on visits made long since."""
    for day in (5, 7):
        draft = adopt(
            town, locality_id=LOCALITY, provider_id=PROVIDER, day=date(2026, 11, day),
            workers={f"c1-{day}": ["w1"], f"c2-{day}": ["w2"]}, now=BEFORE, policy=POLICY,
        )  # fmt: skip
        publish(town, roster_id=draft, by="test", now=BEFORE, policy=POLICY)
    late = at(6, minutes=30)
    transfers.order(town, wanted=replace(WANTED, workers=()), now=late, by="test", policy=POLICY)
    assert transfers.apply_due(town, now=late, policy=POLICY) == 1
    found = plans.planned_visits(town, customer_id="c1", since_day=date(2026, 11, 5), until_day=date(2026, 11, 8))
    assert [(visit.provider_id, visit.rostered) for visit in found] == [(NEW, ("w1",))] * 2 + [(NEW, (None,))]


def test_an_unplanned_stay_passes_by_a_late_order_though_nothing_was_planned(town: Session) -> None:
    """Broken: a stay on a day without a planned visit would stay the old provider's, in its payroll and its actuals."""
    people.add_customers(town, customers=[factories.customer("c4", home=factories.home(100))])
    said(town, *stay(at(6), tag="tag-c4"))
    reconciled(town, now=at(6, minutes=120))
    late = at(7)
    transfers.order(town, wanted=replace(WANTED, customers=("c4",)), now=late, by="test", policy=POLICY)
    assert transfers.apply_due(town, now=late, policy=POLICY) == 1
    reconciled(town, now=late + MINUTE)
    newest = visits.newest(town, since_day=date(2026, 11, 5), until_day=date(2026, 11, 9))
    assert [visit.provider for visit in newest if visit.customer == "c4"] == [NEW]


def test_who_was_forgotten_passes_by_a_second_order_of_the_same_day(town: Session) -> None:
    """Broken: the second command would say that all is done, and a customer would stay behind unseen."""
    passed(town)
    named = replace(WANTED, customers=("c2",), workers=())
    second = transfers.order(town, wanted=named, now=at(5), by="test", policy=POLICY)
    assert not second.already
    assert transfers.apply_due(town, now=at(5), policy=POLICY) == 1
    assert people.customer(town, customer_id="c2").provider_id == NEW
    for again in (named, WANTED):
        assert transfers.order(town, wanted=again, now=at(5), by="test", policy=POLICY).already
    both = replace(WANTED, customers=("c1", "c9"))
    with pytest.raises(TransferRefused, match="c1, c9 is none of kindly"):
        transfers.order(town, wanted=both, now=at(5), by="test", policy=POLICY)
    everybody = Wanted(from_provider=PROVIDER, to_provider=NEW, on_day=DAY)
    third = transfers.order(town, wanted=everybody, now=at(5), by="test", policy=POLICY)
    assert (third.already, store.passing(town, transfer_id=third.transfer.transfer_id, kind=Passed.WORKER)) == (
        False,
        ("w2",),
    )


def test_two_localities_of_one_day_pass_together(town: Session) -> None:
    """Broken: a care worker of one locality would be taken off a customer of the other, though both pass to the same provider."""
    people.add_localities(
        town, localities=[Locality(locality_id="m20", council_id=COUNCIL, name="Didsbury", outward_codes=("M20",))]
    )
    own = metadata.tables["care_workers"]
    town.execute(update(own).where(own.c.worker_id == "w1").values(locality_id="m20"))
    wanted = [
        Wanted(from_provider=PROVIDER, to_provider=NEW, on_day=DAY, locality_id=place) for place in (LOCALITY, "m20")
    ]
    for one in wanted:
        transfers.order(town, wanted=one, now=BEFORE, by="test", policy=POLICY)
    assert transfers.apply_due(town, now=MIDNIGHT, policy=POLICY) == 2
    coming = plans.planned_visits(town, customer_id="c1", since_day=DAY, until_day=date(2026, 11, 6))
    assert [(visit.provider_id, visit.rostered) for visit in coming] == [(NEW, ("w1",))]
    kept = store.transfer_list(town)
    answers = [store.answer_of(town, transfer_id=one.transfer_id) for one in kept]
    assert sorted((one["customers"], one["workers"], one["visits_unfilled"]) for one in answers) == [
        (0, 1, 0),
        (2, 1, 0),
    ]


def test_of_two_localities_one_that_cannot_pass_holds_the_other_not_up(
    town: Session, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken: passing together, one odd row would keep both localities with the old provider."""
    people.add_localities(
        town, localities=[Locality(locality_id="m20", council_id=COUNCIL, name="Didsbury", outward_codes=("M20",))]
    )
    people.add_customers(town, customers=[factories.customer("c5", locality_id="m20")])
    for place in (LOCALITY, "m20"):
        wanted = Wanted(from_provider=PROVIDER, to_provider=NEW, on_day=DAY, locality_id=place)
        transfers.order(town, wanted=wanted, now=BEFORE, by="test", policy=POLICY)
    hand_over = store.hand_over

    def odd(*arguments: object, **named: object) -> None:
        if "c5" in named["ids"]:
            raise ValueError("odd")
        hand_over(*arguments, **named)

    monkeypatch.setattr(store, "hand_over", odd)
    assert transfers.apply_due(town, now=MIDNIGHT, policy=POLICY) == 1
    assert [people.customer(town, customer_id=one).provider_id for one in ("c1", "c2", "c5")] == [NEW, NEW, PROVIDER]
    assert sorted(one.state for one in store.transfer_list(town)) == [TransferState.APPLIED, TransferState.ORDERED]


def test_the_same_order_twice_is_one(town: Session) -> None:
    """Broken: a repeated command would pass people twice or be refused."""
    first = transfers.order(town, wanted=WANTED, now=BEFORE, by="test", policy=POLICY)
    again = transfers.order(town, wanted=WANTED, now=BEFORE, by="test", policy=POLICY)
    assert (first.already, again.already, again.transfer) == (False, True, first.transfer)
    assert transfers.apply_due(town, now=MIDNIGHT, policy=POLICY) == 1
    assert transfers.apply_due(town, now=MIDNIGHT, policy=POLICY) == 0
    assert transfers.order(town, wanted=WANTED, now=BEFORE, by="test", policy=POLICY).already


def test_an_order_waits_for_its_local_midnight(town: Session) -> None:
    """Broken: customers would pass the evening before."""
    transfers.order(town, wanted=WANTED, now=BEFORE, by="test", policy=POLICY)
    assert transfers.apply_due(town, now=MIDNIGHT - MINUTE, policy=POLICY) == 0
    assert people.customer(town, customer_id="c1").provider_id == PROVIDER


def test_an_order_is_undone_before_its_day_and_not_after(town: Session) -> None:
    """Broken: a change of mind would leave half a transfer behind."""
    transfers.order(town, wanted=WANTED, now=BEFORE, by="test", policy=POLICY)
    transfers.cancel(town, wanted=WANTED, now=BEFORE)
    assert transfers.apply_due(town, now=MIDNIGHT, policy=POLICY) == 0
    assert store.spells_of(town, kind=Passed.CUSTOMER, ids=["c1"]) == {}
    again = transfers.order(town, wanted=WANTED, now=BEFORE, by="test", policy=POLICY)
    assert again.transfer.state is TransferState.ORDERED
    assert transfers.apply_due(town, now=MIDNIGHT, policy=POLICY) == 1
    with pytest.raises(TransferRefused, match="other direction"):
        transfers.cancel(town, wanted=WANTED, now=MIDNIGHT)


def test_there_and_back_again(town: Session) -> None:
    """Broken: a customer could pass once in a life only."""
    passed(town)
    back = replace(WANTED, from_provider=NEW, to_provider=PROVIDER, on_day=date(2026, 11, 7))
    transfers.order(town, wanted=back, now=at(5), by="test", policy=POLICY)
    assert transfers.apply_due(town, now=MIDNIGHT + timedelta(days=2), policy=POLICY) == 1
    said(town, *stay(at(6)), *stay(at(7)))
    reconciled(town)
    assert [(happened(town, f"c1-{day}").provider, minutes_of(town, f"c1-{day}")) for day in (6, 7)] == [
        (NEW, 30),
        (PROVIDER, 30),
    ]


def test_what_stands_against_a_transfer_is_said_with_names(town: Session) -> None:
    """Broken: the night of the day would be when one learns that a PIN is taken or an agreement is missing."""
    people.add_workers(town, workers=[replace(factories.worker("w9", provider_id=NEW, pin="1111"), name="Ann Example")])
    found = transfers.preview(town, wanted=WANTED, now=BEFORE, policy=POLICY)
    assert [words for _, words in found.refusals] == [
        "the PIN of Worker w1 (w1) is that of Ann Example (w9): change one"
    ]
    with pytest.raises(TransferRefused, match="Ann Example"):
        transfers.order(town, wanted=WANTED, now=BEFORE, by="test", policy=POLICY)
    people.add_providers(town, providers=[Provider(provider_id="third", name="Third")])
    nowhere = replace(WANTED, to_provider=ProviderId("third"))
    assert (
        "no agreement with manchester"
        in transfers.preview(town, wanted=nowhere, now=BEFORE, policy=POLICY).refusals[0][1]
    )
    strangers = replace(WANTED, customers=("c1", "c7"))
    assert "c7 is none of kindly" in transfers.preview(town, wanted=strangers, now=BEFORE, policy=POLICY).refusals[0][1]


def test_the_preview_counts_what_passes(town: Session) -> None:
    """Broken: whoever decides would not see how much hangs on it."""
    whole = Wanted(from_provider=PROVIDER, to_provider=NEW, on_day=DAY, locality_id=LOCALITY)
    found = transfers.preview(town, wanted=whole, now=BEFORE, policy=POLICY)
    assert (len(found.customers), len(found.workers), found.visits, found.devices) == (2, 2, 8, ("p1", "p2"))
    assert found.refusals == ()


def test_a_pin_taken_meanwhile_does_not_hold_the_transfer_up(town: Session) -> None:
    """Broken: one PIN given out between order and day would leave everybody with the old provider."""
    transfers.order(town, wanted=WANTED, now=BEFORE, by="test", policy=POLICY)
    people.add_workers(town, workers=[factories.worker("w9", provider_id=NEW, pin="1111")])
    assert transfers.apply_due(town, now=MIDNIGHT, policy=POLICY) == 1
    assert people.worker(town, worker_id="w1").provider_id == NEW
    told = outbox.take(town, channel=outbox.NOTIFY, limit=10)
    assert all("new PIN to w1" in row.body["words"] for row in told)


def test_old_credentials_end_after_the_days_of_grace(town: Session) -> None:
    """Broken: a phone of the old provider would speak for ever, or would fall silent with evidence in it."""
    done = transfers.order(town, wanted=WANTED, now=BEFORE, by="test", policy=POLICY)
    store.add_devices(town, transfer_id=done.transfer.transfer_id, pairs=[("p1", "p1")])
    transfers.apply_due(town, now=MIDNIGHT, policy=POLICY)
    transfers.apply_due(town, now=MIDNIGHT + timedelta(days=34), policy=POLICY)
    assert people.device(town, provider=PROVIDER, device="p1").revoked_at is None
    transfers.apply_due(town, now=MIDNIGHT + timedelta(days=35), policy=POLICY)
    assert people.device(town, provider=PROVIDER, device="p1").revoked_at == MIDNIGHT + timedelta(days=35)
    assert people.device(town, provider=PROVIDER, device="p2").revoked_at is None


def test_whoever_came_back_keeps_the_credential_she_came_with(town: Session) -> None:
    """Broken: weeks after a worker came back, her phone would be shut out with what she did in it."""
    done = transfers.order(town, wanted=WANTED, now=BEFORE, by="test", policy=POLICY)
    store.add_devices(town, transfer_id=done.transfer.transfer_id, pairs=[("p1", "p1")])
    transfers.apply_due(town, now=MIDNIGHT, policy=POLICY)
    back = replace(WANTED, from_provider=NEW, to_provider=PROVIDER, on_day=date(2026, 11, 7))
    transfers.order(town, wanted=back, now=at(5), by="test", policy=POLICY)
    transfers.apply_due(town, now=at(7), policy=POLICY)
    transfers.apply_due(town, now=MIDNIGHT + timedelta(days=60), policy=POLICY)
    assert people.device(town, provider=PROVIDER, device="p1").revoked_at is None


def test_plans_unrolled_after_the_day_are_each_days_own_providers(town: Session) -> None:
    """Broken: a visit of last week that is planned late would be the new provider's, who was not there."""
    support = SupportPlan(
        customer_id="c1", outcomes=frozenset(), budget_week_pence=10_000, commissioned_minutes_week=210,
        effective_from=date(2026, 1, 1),
    )  # fmt: skip
    plans.add_support_plans(town, plans=[support])
    pattern = a_pattern(start=time(17))
    plans.add_task_plans(town, plans=[a_task_plan("c1", patterns=[pattern], effective_from=date(2026, 1, 1))])
    passed(town)
    plan.materialise(
        town,
        customer_ids=["c1"],
        since_day=date(2026, 11, 4),
        until_day=date(2026, 11, 6),
        policy=POLICY,
        bank_holidays=(),
    )
    made = plans.planned_visits(town, customer_id="c1", since_day=date(2026, 11, 4), until_day=date(2026, 11, 6))
    assert [(one.start.day, one.provider_id) for one in made if one.start.hour == 17] == [(4, PROVIDER), (5, NEW)]


def test_plans_unrolled_between_order_and_day_pass_on_the_day(town: Session) -> None:
    """Broken: visits planned after the order would stay with a provider that has no such customer any more."""
    transfers.order(town, wanted=WANTED, now=BEFORE, by="test", policy=POLICY)
    support = SupportPlan(
        customer_id="c1", outcomes=frozenset(), budget_week_pence=10_000, commissioned_minutes_week=210,
        effective_from=date(2026, 1, 1),
    )  # fmt: skip
    plans.add_support_plans(town, plans=[support])
    plans.add_task_plans(
        town, plans=[a_task_plan("c1", patterns=[a_pattern(start=time(17))], effective_from=date(2026, 1, 1))]
    )
    days = {"since_day": date(2026, 11, 5), "until_day": date(2026, 11, 6)}
    plan.materialise(town, customer_ids=["c1"], policy=POLICY, bank_holidays=(), **days)
    assert {one.provider_id for one in plans.planned_visits(town, customer_id="c1", **days)} == {PROVIDER}
    assert transfers.apply_due(town, now=MIDNIGHT, policy=POLICY) == 1
    assert {one.provider_id for one in plans.planned_visits(town, customer_id="c1", **days)} == {NEW}


def test_a_provider_without_a_contract_is_refused(town: Session) -> None:
    """Broken: customers would pass to an agency that the council has not chosen for their locality."""
    contract = Contract(
        contract_id="k1",
        council_id=COUNCIL,
        provider_id=PROVIDER,
        locality_id=LOCALITY,
        since=date(2026, 1, 1),
        until=None,
        exclusive=True,
    )
    areas.add_contract(town, new=contract)
    found = transfers.preview(town, wanted=WANTED, now=BEFORE, policy=POLICY)
    assert [words for _, words in found.refusals] == [
        "bright holds no contract for locality m14 on 2026-11-05; kindly does: take that contract in first"
    ]


def test_days_before_can_still_be_looked_at_as_the_old_providers(town: Session) -> None:
    """Broken: what was crammed in the old provider's last weeks, or who was on its rosters, could no longer be asked."""
    both = (*stay(at(4)), *stay(at(4, minutes=60), device="p2", worker="w2", tag="tag-c2"))
    said(town, *both)
    passed(town)
    reconciled(town)
    found = cramming.find(
        town, provider_id=PROVIDER, since_day=date(2026, 11, 2), until_day=date(2026, 11, 5), now=LATER, policy=POLICY
    )
    assert (found.days, [test for test in found.tests if test.flagged]) == ((), [])
    day = load_day(town, locality_id=LOCALITY, provider_id=PROVIDER, day=date(2026, 11, 4), policy=POLICY)
    assert {visit.customer_id for visit in day.visits} == set(day.customers) == {"c1", "c2"}
    assert problem_of(day, policy=POLICY, wishes=Wishes()).demands


def whole(session: Session) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table that a transfer touches."""
    tables = (
        "customers", "care_workers", "planned_visits", "planned_slots", "provider_spells", "transfers", "rosters", "deadlines", "outbox",
        "reconcile_queue",
    )  # fmt: skip
    found = {name: metadata.tables[name] for name in tables}
    return {
        name: sorted((tuple(row) for row in session.execute(select(table))), key=repr) for name, table in found.items()
    }


def test_a_crash_at_any_statement_leaves_before_or_after(sessions: sessionmaker[Session], engine: Engine) -> None:
    """Broken: a machine that stops at midnight would leave customers with one provider and their visits with the other."""
    with sessions.begin() as session:
        settle(session)
        draft = adopt(
            session, locality_id=LOCALITY, provider_id=PROVIDER, day=DAY,
            workers={"c1-5": ["w1"], "c2-5": ["w2"]}, now=BEFORE, policy=POLICY,
        )  # fmt: skip
        publish(session, roster_id=draft, by="test", now=BEFORE, policy=POLICY)
        transfers.order(session, wanted=WANTED, now=BEFORE, by="test", policy=POLICY)
    with sessions() as session:
        before = whole(session)
    countdown = 0

    def fall(*_args: object) -> None:
        nonlocal countdown
        countdown -= 1
        if countdown == 0:
            raise Crash

    class Crash(BaseException):
        """The machine stops."""

    done = False
    for at_statement in range(1, 400, 7):
        countdown = at_statement
        event.listen(engine, "before_cursor_execute", fall)
        try:
            with sessions.begin() as session:
                transfers.apply_due(session, now=MIDNIGHT, policy=POLICY)
            done = True
        except Crash:
            pass
        finally:
            event.remove(engine, "before_cursor_execute", fall)
        if done:
            break
        with sessions() as session:
            assert whole(session) == before
    assert done
    with sessions() as session:
        assert people.customer(session, customer_id="c1").provider_id == NEW
        assert {one.provider_id for one in plans.planned_visits_of(session, visit_ids=["c1-5"])} == {NEW}


@pytest.mark.database("postgresql")
def test_two_work_processes_apply_a_transfer_once(sessions: sessionmaker[Session]) -> None:
    """Broken: both would publish rosters and tell both providers twice."""
    with sessions.begin() as session:
        settle(session)
        transfers.order(session, wanted=WANTED, now=BEFORE, by="test", policy=POLICY)
    with sessions.begin() as first, sessions.begin() as second:
        assert transfers.apply_due(first, now=MIDNIGHT, policy=POLICY) == 1
        assert transfers.apply_due(second, now=MIDNIGHT, policy=POLICY) == 0
    with sessions() as session:
        assert len(outbox.take(session, channel=outbox.NOTIFY, limit=10)) == 2


@pytest.mark.database("postgresql")
def test_a_transfer_waits_for_plans_that_are_just_being_unrolled(sessions: sessionmaker[Session]) -> None:
    """Broken: visits stored at the very moment of the transfer would stay with a provider that has no such customer any more."""
    days = {"since_day": date(2026, 11, 5), "until_day": date(2026, 11, 6)}
    with sessions.begin() as session:
        settle(session)
        support = SupportPlan(
            customer_id="c1", outcomes=frozenset(), budget_week_pence=10_000, commissioned_minutes_week=210,
            effective_from=date(2026, 1, 1),
        )  # fmt: skip
        plans.add_support_plans(session, plans=[support])
        pattern = a_pattern(start=time(17))
        plans.add_task_plans(session, plans=[a_task_plan("c1", patterns=[pattern], effective_from=date(2026, 1, 1))])
        transfers.order(session, wanted=WANTED, now=BEFORE, by="test", policy=POLICY)

    def apply() -> int:
        with sessions.begin() as own:
            return transfers.apply_due(own, now=MIDNIGHT, policy=POLICY)

    with ThreadPoolExecutor(max_workers=1) as at_once:
        with sessions.begin() as session:
            plan.materialise(session, customer_ids=["c1"], policy=POLICY, bank_holidays=(), **days)
            applied = at_once.submit(apply)
            while not waiting_for_a_lock(sessions):
                assert not applied.done(), "it did not wait"
        assert applied.result(timeout=60) == 1
    with sessions() as session:
        found = plans.planned_visits(session, customer_id="c1", **days)
    assert [(one.start.hour, one.provider_id) for one in found] == [(9, NEW), (17, NEW)]


def waiting_for_a_lock(sessions: sessionmaker[Session]) -> bool:
    """Whether some transaction of this database waits for another's lock."""
    query = text(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    with sessions() as session:
        return bool(session.execute(query).scalar_one())
