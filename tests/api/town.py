"""A small town for tests of the site: two councils, two providers, people of every role, and a day on which everything happened once.
Not the simulation: a handful of rows whose meaning can be read here."""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from sqlalchemy import insert
from sqlalchemy.orm import Session

from api.auth import hash_password
from evm.domain.evidence import EventKind, Evidence, Grade, Method, TaskOutcome
from evm.domain.finding import Finding, FindingCode
from evm.domain.people import Branch, Council, Locality, Provider
from evm.domain.plan import Cancellation, CancelledBy, PlannedVisit, Risk
from evm.domain.visit import Attendance, SlotRecord, Visit, VisitOutcome
from evm.store import accounts, alerts, people, plans, rosters, visits
from evm.store.accounts import Account, Role
from evm.store.alerts import HistoryEntry, NewAlert
from evm.store.evidence import NewRow, append
from evm.store.money import add_agreements
from evm.store.rosters import RosterRecord, RosterState
from evm.store.tables import money
from evm.store.visits import WorkerFlag
from tests import factories
from tests.domain.billing import bills
from tests.factories import COUNCIL, NINE, PROVIDER

NOON = NINE + timedelta(hours=3)
DAY = date(2026, 11, 2)
PASSWORD = "correct horse battery"
_HASH = hash_password(PASSWORD)
ROLES: dict[str, dict[str, str | None]] = {
    "worker": {"role": "worker", "provider_id": PROVIDER, "worker_id": "w1"},
    "branch": {"role": "branch", "provider_id": PROVIDER},
    "commissioner": {"role": "commissioner", "council_id": COUNCIL},
    "safeguarding": {"role": "safeguarding", "council_id": COUNCIL},
    "admin": {"role": "admin"},
    "otherbranch": {"role": "branch", "provider_id": "other-care"},
    "othercouncil": {"role": "commissioner", "council_id": "salford"},
    "othersafeguarding": {"role": "safeguarding", "council_id": "salford"},
    "otherworker": {"role": "worker", "provider_id": PROVIDER, "worker_id": "w2"},
    "lost": {"role": "branch"},
    "localbranch": {"role": "branch", "provider_id": PROVIDER, "locality_id": "m20"},
}


@dataclass(frozen=True)
class Town:
    """Ids to ask for."""

    visit: str = "v-done"
    alert: int = 1
    invoice: str = "inv-1"
    roster: str = "r-1"
    customer: str = "c1"
    foreign_visit: str = "v-foreign"


def email(name: str) -> str:
    return f"{name}@example.org"


def build(session: Session) -> Town:
    """Insert everything. The caller commits."""
    factories.seed(
        session,
        customers=[
            replace(factories.customer("c1"), name="Ada <b>Example</b>", phone="+441614960101"),
            factories.customer("c2"),
            factories.customer("c3"),
        ],
        workers=[factories.worker("w1"), factories.worker("w2")],
    )
    people.add_councils(session, councils=[Council(council_id="salford", name="Salford")])
    people.add_providers(session, providers=[Provider(provider_id="other-care", name="Other Care")])
    people.add_branches(
        session, branches=[Branch(branch_id="other", provider_id="other-care", name="Other", phone="+441614960009")]
    )
    people.add_localities(
        session,
        localities=[
            Locality(locality_id="m20", council_id=COUNCIL, name="Didsbury", outward_codes=("M20",)),
            Locality(locality_id="m5", council_id="salford", name="Ordsall", outward_codes=("M5",)),
        ],
    )
    foreign = factories.customer("c9", provider_id="other-care", locality_id="m5")
    people.add_customers(session, customers=[replace(foreign, name="Foreign Person")])
    people.add_workers(session, workers=[factories.worker("w9", provider_id="other-care", locality_id="m5")])
    accounts.add_accounts(session, new=[account(name, values) for name, values in ROLES.items()])
    _plan(session)
    _happen(session)
    _raise(session)
    _invoice(session)
    _roster(session)
    return Town()


def account(name: str, values: dict[str, str | None]) -> Account:
    scope = {key: value for key, value in values.items() if key != "role"}
    return Account(
        account_id=name,
        email=email(name),
        name=f"{name.capitalize()} Person",
        role=Role(values["role"]),
        password_hash=_HASH,
        **scope,
    )


def _plan(session: Session) -> None:
    made: list[PlannedVisit] = [
        factories.planned_visit("v-done"),
        factories.planned_visit("v-short", customer="c2", start=NINE + timedelta(minutes=45)),
        factories.planned_visit("v-missed", customer="c3", start=NINE + timedelta(hours=1), risk=Risk.TIME_CRITICAL),
        factories.planned_visit("v-now", start=NOON - timedelta(minutes=10), minutes=30),
        factories.planned_visit("v-overdue", customer="c2", start=NOON - timedelta(minutes=40)),
        factories.planned_visit("v-later", customer="c3", start=NOON + timedelta(hours=5)),
        factories.planned_visit(
            "v-cancelled",
            customer="c2",
            start=NINE + timedelta(hours=8),
            cancelled=Cancellation(at=NINE, by=CancelledBy.CUSTOMER, reason="daughter visits"),
        ),
        factories.planned_visit(
            "v-foreign", customer="c9", provider_id="other-care", locality_id="m5", rostered=("w9",)
        ),
    ]
    plans.add_planned_visits(session, visits=made)


def _attendance(
    visit: str, *, start: datetime, end: datetime | None, ids: tuple[str, str | None], customer: str = "c1"
) -> Attendance:
    return Attendance(
        attendance_id=ids[0],
        worker="w1",
        customer=customer,
        start=start,
        end=end,
        check_in=ids[0],
        check_out=ids[1],
        visit=visit,
        grade_time=Grade.A,
        grade_place=Grade.B,
        payable_seconds=0 if end is None else int((end - start).total_seconds()),
    )


def _visit(
    visit_id: str,
    customer: str,
    start: datetime,
    outcome: VisitOutcome,
    *stays: Attendance,
    findings: tuple[Finding, ...] = (),
) -> Visit:
    return Visit(
        visit_id=visit_id,
        customer=customer,
        provider="other-care" if customer == "c9" else PROVIDER,
        care_day=DAY.isoformat(),
        planned_start=start,
        planned_minutes=30,
        outcome=outcome,
        slots=tuple(SlotRecord(slot=i, rostered="w1", attendance=stay) for i, stay in enumerate(stays or (None,))),
        findings=findings,
    )


def _happen(session: Session) -> None:
    def log(kind: EventKind, at: datetime, **changes: object) -> Evidence:
        event = factories.evidence(kind, at=at, **changes)
        append(session, rows=[NewRow(evidence=event, payload=b'{"v":1}', device_type="popback_v1")])
        return event

    came = log(
        EventKind.CHECK_IN,
        NINE + timedelta(minutes=2),
        method=Method.GPS,
        grade_place=Grade.B,
        position=factories.fix(60),
    )
    tasks = (TaskOutcome(code="medicine", done=True), TaskOutcome(code="breakfast", done=False, reason="not hungry"))
    log(EventKind.TASK_OUTCOME, NINE + timedelta(minutes=20), tasks=tasks, words="<script>alert(1)</script> \u202egnol")
    left = log(EventKind.CHECK_OUT, NINE + timedelta(minutes=31))
    in2 = log(EventKind.CHECK_IN, NINE + timedelta(minutes=46), customer="c2")
    out2 = log(
        EventKind.CHECK_OUT,
        NINE + timedelta(minutes=55),
        customer="c2",
        grade_place=Grade.D,
        position=factories.fix(900),
    )
    now = log(EventKind.CHECK_IN, NOON - timedelta(minutes=8))
    short = Finding(code=FindingCode.SHORT, words="9 of 30 minutes", slot=0, evidence=(in2.event_id, out2.event_id))
    done = _attendance("v-done", start=came.at, end=left.at, ids=(came.event_id, left.event_id))
    first = [
        _visit(
            "v-done",
            "c1",
            NINE,
            VisitOutcome.DELIVERED,
            _attendance("v-done", start=came.at, end=None, ids=(came.event_id, None)),
        )
    ]
    visits.append_versions(session, visits=first, now=NINE + timedelta(minutes=3))
    stay2 = _attendance("v-short", start=in2.at, end=out2.at, ids=(in2.event_id, out2.event_id), customer="c2")
    open_stay = _attendance("v-now", start=now.at, end=None, ids=(now.event_id, None))
    visits.append_versions(
        session,
        visits=[
            _visit("v-done", "c1", NINE, VisitOutcome.DELIVERED, done),
            _visit(
                "v-short", "c2", NINE + timedelta(minutes=45), VisitOutcome.PART_DELIVERED, stay2, findings=(short,)
            ),
            _visit(
                "v-missed",
                "c3",
                NINE + timedelta(hours=1),
                VisitOutcome.MISSED,
                findings=(Finding(code=FindingCode.MISSED, words="Nobody came"),),
            ),
            _visit("v-now", "c1", NOON - timedelta(minutes=10), VisitOutcome.DELIVERED, open_stay),
            _visit("v-foreign", "c9", NINE, VisitOutcome.DELIVERED),
        ],
        now=NINE + timedelta(minutes=60),
    )


def _raise(session: Session) -> None:
    def alert(key: str, customer: str, risk: str, words: str, **changes: object) -> NewAlert:
        values: dict[str, object] = {
            "provider": PROVIDER,
            "kind": "missed visit",
            "due_at": NINE + timedelta(hours=1, minutes=30),
        }
        return NewAlert(key=key, customer=customer, risk=risk, words=words, **(values | changes))

    ids = alerts.add(
        session,
        alerts_=[
            alert(
                "a1",
                "c3",
                "time_critical",
                "Nobody has checked in with the customer.",
                visit="v-missed",
                revision=1,
                slot=0,
                stage="missed",
            ),
            alert(
                "a2", "c2", "standard", "The check-out is overdue.", kind="overdue check-out", visit="v-overdue", slot=0
            ),
            alert("a3", "c9", "standard", "Foreign alert.", provider="other-care", visit="v-foreign"),
        ],
        now=NINE + timedelta(hours=1, minutes=30),
    )
    alerts.set_state(session, alert_id=ids["a2"], was=["open"], state="acknowledged")
    entry = HistoryEntry(alert_id=ids["a2"], at=NOON, who="Branch Person", act="acknowledged", words="Ringing.")
    alerts.add_history(session, entries=[entry])


def _invoice(session: Session) -> None:
    add_agreements(session, agreements=[bills.agreement(council=COUNCIL, provider=PROVIDER)])
    rows = [
        ("v-done", "pay", 30, 900, 900, 0, 0, 0, 29, "evidenced", "29 of 30 minutes are evidenced."),
        ("v-short", "reduce", 30, 900, 270, 630, 0, 0, 9, "more than evidenced", "9 of 30 minutes are evidenced."),
        ("v-missed", "withhold", 30, 900, 0, 0, 900, 0, 0, "no evidence", "Nothing evidences this visit yet."),
        ("v-cancelled", "disallow", 30, 900, 0, 0, 0, 900, 0, "cancelled", "The visit was cancelled in time."),
    ]
    for invoice_id, provider, council, number in (
        ("inv-1", PROVIDER, COUNCIL, "2026-11"),
        ("inv-9", "other-care", "salford", "X-1"),
    ):
        session.execute(
            insert(money.invoices).values(
                invoice_id=invoice_id,
                provider_id=provider,
                council_id=council,
                number=number,
                period_since=DAY - timedelta(days=27),
                period_until=DAY + timedelta(days=1),
                claimed_pence=3600,
                received_at=NOON,
                state="judged",
            )
        )
    for line, (visit, verdict, minutes, claimed, pay, reduced, held, refused, evidenced, reason, words) in enumerate(
        rows, 1
    ):
        session.execute(
            insert(money.invoice_lines).values(
                invoice_id="inv-1", line_no=line, visit_id=visit, slot=0, customer_id="c1", worker_id="w1", start_at=NINE,
                minutes_claimed=minutes, pence_claimed=claimed,
            )
        )  # fmt: skip
        verdicts = [("withhold", 0, 0, claimed, 0, "no evidence", "Nothing yet.")] if verdict == "pay" else []
        verdicts.append((verdict, pay, reduced, held, refused, reason, words))
        for version, (code, a, b, c, d, why, sentence) in enumerate(verdicts, 1):
            session.execute(
                insert(money.line_verdicts).values(
                    invoice_id="inv-1", line_no=line, version=version, judged_at=NOON, verdict=code, payable_pence=a, reduced_pence=b,
                    withheld_pence=c, disallowed_pence=d, shadow_pence=0, minutes_evidenced=evidenced, reason=why, words=sentence, evidence=[],
                )
            )  # fmt: skip
    session.execute(
        insert(money.charges).values(
            visit_key="v-done", visit_version=2, slot=0, line=1, agreement_id="a", agreement_version=1, minutes=29, pence=870,
            rule="capped_at_planned", words="29 minutes at 30p a minute.",
        )
    )  # fmt: skip


def flags() -> tuple[WorkerFlag, ...]:
    """Call cramming of both kinds here, and one flag of another agency."""
    since = DAY - timedelta(days=27)

    def flag(code: FindingCode, worker: str, provider: str, *sentences: str, **changes: object) -> WorkerFlag:
        values: dict[str, object] = {
            "code": code.value, "provider": provider, "worker": worker, "care_day": None, "period_since": since,
            "period_until": DAY + timedelta(days=1), "found_at": NOON, "words": " ".join(sentences), "body": {"sentences": list(sentences)},
        }  # fmt: skip
        return WorkerFlag(**(values | changes))

    return (
        flag(
            FindingCode.CRAMMING_BY_WORKER, "w1", PROVIDER,
            "2 of 9 visits were cut short into an early start of the next.",
            "2026-11-02: visit v-short had 9 of 30 minutes from 09:46, and visit v-elsewhere began 6 minutes early at 09:56.",
            reply="She sent me away.",
        ),
        flag(FindingCode.CRAMMING_IN_ROSTER, "w2", PROVIDER, "Visit v-short, planned for 09:45, cannot begin before 09:50.", care_day=DAY),
        flag(FindingCode.CRAMMING_BY_WORKER, "w9", "other-care", "8 of 8 visits were cut short."),
    )  # fmt: skip


def _roster(session: Session) -> None:
    def at(minutes: int) -> str:
        return (NINE + timedelta(days=1, minutes=minutes)).isoformat()

    def stop(visit: str, customer: str, minutes: int, *, popback: bool = False) -> dict[str, object]:
        return {
            "visit": visit, "slot": 0, "customer": customer, "start": at(minutes), "end": at(minutes + 30), "arrive": at(minutes - 2),
            "agreed_start": at(minutes - 5), "travel_seconds": 300, "waiting_seconds": 120, "popback": popback, "revision": 1,
        }  # fmt: skip

    body = {
        "made": "generated",
        "seed": 1,
        "runs": [
            {
                "worker": "w1", "leave": at(-10), "back": at(90), "travel_seconds": 900, "hash": "0" * 64,
                "stops": [stop("v-done", "c1", 0), stop("v-short", "c2", 40, popback=True)],
            },
            {"worker": "w2", "leave": at(0), "back": at(60), "travel_seconds": 600, "hash": "1" * 64, "stops": [stop("v-later", "c3", 10)]},
        ],
        "unfilled": [
            {
                "visit": "v-missed", "slot": 0, "customer": "c3", "start": at(60), "popback": False, "revision": 1,
                "reason": "No care worker has the skill hoist.",
                "nearest": [{"worker": "w2", "rule": "skills", "sentence": "w2 lacks hoist."}],
            }
        ],
        "suspended": [], "violations": [], "findings": [], "score": {}, "pins": {}, "changes": [{"words": "Visit v-done: was nobody, becomes w1 at 09:00."}],
    }  # fmt: skip
    for roster_id, locality, provider in (("r-1", "m14", PROVIDER), ("r-9", "m5", "other-care")):
        rosters.add(
            session,
            record=RosterRecord(
                roster_id=roster_id, locality_id=locality, provider_id=provider, day=DAY + timedelta(days=1), state=RosterState.PUBLISHED,
                version=1, made_at=NOON, published_at=NOON, published_by="Branch Person", input_sha256="0" * 64, unfilled=1, violations=0,
                travel_seconds=1500, body=body,
            ),
        )  # fmt: skip
