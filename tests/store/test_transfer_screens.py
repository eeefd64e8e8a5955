"""Who sees what when a customer has passed to another provider: the old branch its history, the new one plan and past, nobody's money but
their own."""

from dataclasses import replace
from datetime import date

import pytest
from sqlalchemy.orm import Session

from evm.services import transfers, watch
from evm.services.roster import adopt, publish
from evm.services.roster_deadlines import publish_deadlines
from evm.store import alerts as alert_store
from evm.store import plans, rosters
from evm.store.screens import Scope, alerts, findings, visits
from evm.store.screens import rosters as roster_screen
from evm.store.screens.scope import customer_visible
from evm.store.visits import WorkerFlag, add_worker_flags
from tests.factories import COUNCIL, LOCALITY, PROVIDER
from tests.services.passing import BEFORE, NEW, POLICY, WANTED, at, passed, reconciled, said, settle, stay

OLD_BRANCH, NEW_BRANCH, COMMISSIONER = Scope(provider_id=PROVIDER), Scope(provider_id=NEW), Scope(council_id=COUNCIL)


@pytest.fixture
def town(session: Session) -> Session:
    settle(session)
    return session


def seen(session: Session, scope: Scope, day: int) -> list[tuple[str, str]]:
    found = visits.day(
        session, scope=scope, on=date(2026, 11, day), judge=lambda row: row.outcome or "pending", limit=50, offset=0
    )
    return [(row.visit_key, row.provider_name) for row in found.rows]


def test_each_branch_sees_its_own_days_and_the_new_one_the_past_too(town: Session) -> None:
    """Broken: the old branch would go on seeing when the customer is alone, or the new one would start blind."""
    said(town, *stay(at(4)))
    assert seen(town, NEW_BRANCH, 4) == []
    passed(town)
    reconciled(town)
    assert seen(town, OLD_BRANCH, 4) == [("c1-4", "Kindly Care"), ("c2-4", "Kindly Care")]
    assert seen(town, OLD_BRANCH, 5) == [("c2-5", "Kindly Care")]
    assert seen(town, NEW_BRANCH, 4) == [("c1-4", "Kindly Care")]
    assert seen(town, NEW_BRANCH, 5) == [("c1-5", "Bright Care")]
    assert len(seen(town, COMMISSIONER, 5)) == 2
    assert not customer_visible(town, scope=OLD_BRANCH, customer_id="c1")
    assert customer_visible(town, scope=NEW_BRANCH, customer_id="c1")


def test_the_past_stays_hidden_where_the_council_says_so(town: Session) -> None:
    """Broken: a customer's past would be shown to whoever takes over, against the council's choice."""
    passed(town, replace(WANTED, shows_history=False))
    assert seen(town, NEW_BRANCH, 4) == []
    assert seen(town, NEW_BRANCH, 5) == [("c1-5", "Bright Care")]


def test_a_worker_who_passed_still_sees_what_she_did_before(town: Session) -> None:
    """Broken: with her new provider a worker would lose sight of her own visits of last month, and of what was found about them."""
    said(town, *stay(at(4)), *stay(at(3, minutes=300)))
    flags = [
        WorkerFlag(
            code="crammed", provider=PROVIDER, worker=who, care_day=date(2026, 11, 3), period_since=date(2026, 11, 2),
            period_until=date(2026, 11, 4), found_at=at(4), words="2 of 9 visits were cut short.", body={},
        )
        for who in ("w1", "w2")
    ]  # fmt: skip
    add_worker_flags(town, flags=flags)
    passed(town, replace(WANTED, shows_history=False))
    reconciled(town)
    mine = Scope(provider_id=NEW, worker_id="w1")
    assert seen(town, mine, 4) == [("c1-4", "Kindly Care")]
    assert [key.split(":")[0] for key, _ in seen(town, mine, 3)] == ["c1-3", "unplanned"]
    told, (one,) = findings.flags(town, scope=mine, code="crammed", limit=10, offset=0)
    assert (told, one.worker_id) == (1, "w1")
    assert seen(town, Scope(provider_id=PROVIDER, worker_id="w2"), 4) == [("c2-4", "Kindly Care")]


def test_an_order_alone_shows_nothing_yet(town: Session) -> None:
    """Broken: a provider would read a customer's days before it has the customer."""
    transfers.order(town, wanted=WANTED, now=BEFORE, by="test", policy=POLICY)
    assert seen(town, NEW_BRANCH, 4) == []
    assert seen(town, NEW_BRANCH, 5) == []


def test_the_old_branch_keeps_telephone_numbers_while_its_alert_is_open_and_no_longer(town: Session) -> None:
    """Broken: at midnight nobody could ring the customer whose evening visit was missed (the new provider does not see that alert), or
    numbers of a customer and her next of kin would stay with an office that has nothing to do with her any more."""
    coming = plans.planned_visits(town, customer_id="c1", since_day=date(2026, 11, 4), until_day=date(2026, 11, 5))
    publish_deadlines(town, visits=coming, policy=POLICY, now=BEFORE)
    watch.sweep(town, now=at(4, minutes=90), policy=POLICY)
    (alert,) = {one.alert_id for one in alert_store.alert_list(town) if one.stage == "missed"}
    before = alerts.one(town, scope=OLD_BRANCH, alert_id=alert)
    assert before.customer_phone is not None
    passed(town)
    still_open = alerts.one(town, scope=OLD_BRANCH, alert_id=alert)
    assert still_open.customer_phone == before.customer_phone
    assert alert_store.set_state(town, alert_id=alert, was={still_open.state}, state=alert_store.CLOSED)
    after = alerts.one(town, scope=OLD_BRANCH, alert_id=alert)
    assert (after.customer_name, after.customer_phone, after.next_of_kin_phone) == (before.customer_name, None, None)
    assert alerts.one(town, scope=NEW_BRANCH, alert_id=alert) is None
    assert alerts.one(town, scope=COMMISSIONER, alert_id=alert).customer_phone == before.customer_phone


def test_an_old_roster_no_longer_says_when_the_customer_is_visited(town: Session) -> None:
    """Broken: superseded rosters would tell the old branch the customer's next visits."""
    draft = adopt(
        town, locality_id=LOCALITY, provider_id=PROVIDER, day=date(2026, 11, 5),
        workers={"c1-5": ["w1"], "c2-5": ["w2"]}, now=BEFORE, policy=POLICY,
    )  # fmt: skip
    publish(town, roster_id=draft, by="test", now=BEFORE, policy=POLICY)
    passed(town)
    record = rosters.roster(town, roster_id=draft)
    body = roster_screen.without_passed(town, provider_id=PROVIDER, body=record.body)
    assert [stop["visit"] for run in body["runs"] for stop in run["stops"]] == ["c2-5"]
    assert {stop["visit"] for run in record.body["runs"] for stop in run["stops"]} == {"c1-5", "c2-5"}
