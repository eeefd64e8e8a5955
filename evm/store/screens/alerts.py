"""Alerts as the live page shows them, and what changed since a moment. Not raising or closing them (evm.services.watch)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, Subquery, and_, case, false, func, or_, select, true
from sqlalchemy.orm import Session

from evm.store.alerts import CLOSED
from evm.store.screens.scope import Scope, of_place, of_provider
from evm.store.tables.alerts import alert_history, alerts
from evm.store.tables.people import branches, care_workers, customers, localities, providers
from evm.store.tables.plans import planned_visits

STATE_ORDER = ("open", "acknowledged", "closed")
STAGE_ORDER = {"warn": 1, "page": 2, "missed": 3}
RISK_ORDER = case({"time_critical": 0, "standard": 1, "low": 2}, value=alerts.c.risk, else_=1)


LATE_ENTRIES_MAX = 1000
"""As many as two full rounds of the watch write."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertRow:
    """One alert with the people in it. `customer_phone` and the next of kin are shown to those who act."""

    alert_id: int
    kind: str
    provider_id: str
    provider_name: str | None
    customer_id: str | None
    customer_name: str | None
    customer_phone: str | None
    next_of_kin_name: str | None
    next_of_kin_phone: str | None
    locality_id: str | None
    locality_name: str | None
    worker_id: str | None
    worker_name: str | None
    worker_phone: str | None
    visit_id: str | None
    visit_start: datetime | None
    slot: int | None
    stage: str | None
    risk: str
    due_at: datetime
    raised_at: datetime
    detected_late: bool
    words: str
    state: str
    reclassified: str | None
    outcome: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertGroup:
    """The alerts of one kind about one slot of one visit: warning, page and missed are one matter for one person. `head` is the highest
    stage of those in the group's state, which is open while any of them is; `others` are the rest, the newest first."""

    group_id: int
    head: AlertRow
    others: tuple[AlertRow, ...] = ()

    @property
    def unclosed(self) -> tuple[int, ...]:
        """The alerts that still wait for a person."""
        return tuple(row.alert_id for row in (self.head, *self.others) if row.state != "closed")


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertPage:
    """Counts of groups by state over the scope, and one page of groups, the most dangerous first."""

    counts: Mapping[str, int]
    matching: int
    groups: tuple[AlertGroup, ...]


def listed(session: Session, *, scope: Scope, states: tuple[str, ...], limit: int, offset: int) -> AlertPage:
    """Groups in these states by the risk of their head; those that later evidence already answers after the others; then by when the
    head was due."""
    heads = _heads(scope)
    counted = session.execute(select(heads.c.state, func.count()).where(heads.c.place == 1).group_by(heads.c.state))
    counts = {row[0]: int(row[1]) for row in counted}
    shown = session.execute(
        select(heads.c.alert_id, heads.c.group_id)
        .join(alerts, alerts.c.alert_id == heads.c.alert_id)
        .where(heads.c.place == 1, heads.c.state.in_(states))
        .order_by(RISK_ORDER, alerts.c.reclassified.is_not(None), alerts.c.due_at, alerts.c.alert_id)
        .limit(limit)
        .offset(offset)
    ).all()
    members = _members(session, scope, heads, group_ids=[row.group_id for row in shown])
    return AlertPage(
        counts=counts,
        matching=sum(counts.get(state, 0) for state in states),
        groups=tuple(_group(row.group_id, row.alert_id, members[row.group_id]) for row in shown),
    )


def group_of(session: Session, *, scope: Scope, alert_id: int) -> AlertGroup | None:
    """One alert as the head, with the others of its group; None when it does not exist or is out of scope."""
    found = one(session, scope=scope, alert_id=alert_id)
    if found is None:
        return None
    if found.visit_id is None or found.slot is None:
        return AlertGroup(group_id=alert_id, head=found)
    same = and_(
        alerts.c.kind == found.kind, alerts.c.visit_id == found.visit_id, alerts.c.slot == found.slot, _visible(scope)
    )
    rows = session.execute(_selected(scope).where(same).order_by(alerts.c.alert_id.desc())).mappings()
    members = [AlertRow(**dict(row)) for row in rows]
    return _group(members[-1].alert_id, alert_id, members)


def one(session: Session, *, scope: Scope, alert_id: int) -> AlertRow | None:
    """One alert, None when it does not exist or is out of scope."""
    row = session.execute(_selected(scope).where(_visible(scope), alerts.c.alert_id == alert_id)).mappings().first()
    return None if row is None else AlertRow(**dict(row))


@dataclass(frozen=True, slots=True, kw_only=True)
class ActRow:
    """What was done about an alert, by whom and when."""

    at: datetime
    who: str
    act: str
    words: str


def history(session: Session, *, alert_id: int) -> tuple[ActRow, ...]:
    """Everything that was done about one alert, oldest first."""
    rows = session.execute(
        select(alert_history.c.at, alert_history.c.who, alert_history.c.act, alert_history.c.words)
        .where(alert_history.c.alert_id == alert_id)
        .order_by(alert_history.c.entry_id)
    ).mappings()
    return tuple(ActRow(**dict(row)) for row in rows)


def branch_phones(session: Session, *, provider_id: str) -> tuple[tuple[str, str], ...]:
    """Name and number of a provider's branches: whom to ring."""
    rows = session.execute(
        select(branches.c.name, branches.c.phone).where(branches.c.provider_id == provider_id).order_by(branches.c.name)
    )
    return tuple((row.name, row.phone) for row in rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class RaisedRow:
    """An alert about this visit, for the link to it."""

    alert_id: int
    kind: str
    words: str
    state: str
    raised_at: datetime
    reclassified: str | None


def alerts_of(session: Session, *, visit_id: str) -> tuple[RaisedRow, ...]:
    """The alerts a planned visit raised, by time."""
    rows = session.execute(
        select(*(alerts.c[name] for name in RaisedRow.__slots__))
        .where(alerts.c.visit_id == visit_id)
        .order_by(alerts.c.raised_at, alerts.c.alert_id)
    ).mappings()
    return tuple(RaisedRow(**dict(row)) for row in rows)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One entry of the history of some alert, with whom it concerns: what live watchers are told. `council_id` None: no customer."""

    entry_id: int
    alert_id: int
    act: str
    provider_id: str
    locality_id: str | None
    council_id: str | None


def newest_entry(session: Session) -> int:
    """The number of the newest entry of any alert's history, 0 when there is none."""
    return int(session.execute(select(func.coalesce(func.max(alert_history.c.entry_id), 0))).scalar_one())


def late_entries_max(session: Session) -> int:
    """By how many numbers an entry may be seen later than a newer one: on PostgreSQL numbers are given out before their transactions
    commit, on SQLite one writer gives them out in order."""
    return LATE_ENTRIES_MAX if session.get_bind().dialect.name == "postgresql" else 0


def changes_after(session: Session, *, entry_id: int, limit: int = 1000) -> tuple[Change, ...]:
    """History entries after `entry_id`, oldest first."""
    rows = session.execute(
        select(
            alert_history.c.entry_id,
            alert_history.c.alert_id,
            alert_history.c.act,
            alerts.c.provider_id,
            customers.c.locality_id,
            localities.c.council_id,
        )
        .join(alerts, alerts.c.alert_id == alert_history.c.alert_id)
        .outerjoin(customers, customers.c.customer_id == alerts.c.customer_id)
        .outerjoin(localities, localities.c.locality_id == customers.c.locality_id)
        .where(alert_history.c.entry_id > entry_id)
        .order_by(alert_history.c.entry_id)
        .limit(limit)
    ).mappings()
    return tuple(Change(**dict(row)) for row in rows)


def _heads(scope: Scope) -> Subquery:
    """Every visible alert with its group, the group's state and its place in it; place 1 is the head."""
    own = alerts.c
    alone = case((and_(own.visit_id.is_not(None), own.slot.is_not(None)), 0), else_=own.alert_id)
    state = case({name: place for place, name in enumerate(STATE_ORDER)}, value=own.state, else_=len(STATE_ORDER))
    stage = case(STAGE_ORDER, value=own.stage, else_=0)
    within = (own.kind, own.visit_id, own.slot, alone)
    first = func.row_number().over(partition_by=within, order_by=(state, stage.desc(), own.alert_id.desc()))
    return (
        select(
            own.alert_id,
            own.state,
            func.min(own.alert_id).over(partition_by=within).label("group_id"),
            first.label("place"),
        )
        .outerjoin(customers, customers.c.customer_id == own.customer_id)
        .where(_visible(scope))
        .subquery("heads")
    )


def _members(session: Session, scope: Scope, heads: Subquery, *, group_ids: list[int]) -> dict[int, list[AlertRow]]:
    rows = session.execute(
        _selected(scope)
        .join(heads, heads.c.alert_id == alerts.c.alert_id)
        .add_columns(heads.c.group_id)
        .where(heads.c.group_id.in_(group_ids))
        .order_by(alerts.c.alert_id.desc())
    ).mappings()
    found: dict[int, list[AlertRow]] = {}
    for row in rows:
        values = dict(row)
        found.setdefault(values.pop("group_id"), []).append(AlertRow(**values))
    return found


def _group(group_id: int, head_id: int, members: list[AlertRow]) -> AlertGroup:
    head = next(row for row in members if row.alert_id == head_id)
    return AlertGroup(group_id=group_id, head=head, others=tuple(row for row in members if row is not head))


def _visible(scope: Scope) -> ColumnElement[bool]:
    if scope.worker_id is not None:
        return false()
    return or_(
        and_(
            alerts.c.customer_id.is_not(None),
            of_place(scope, provider=alerts.c.provider_id, locality=customers.c.locality_id),
        ),
        and_(alerts.c.customer_id.is_(None), of_provider(scope, provider=alerts.c.provider_id)),
    )


def _selected(scope: Scope) -> Select[Any]:
    own = alerts.c
    theirs = (
        true() if scope.provider_id is None else or_(customers.c.provider_id == scope.provider_id, own.state != CLOSED)
    )
    return (
        select(
            own.alert_id,
            own.kind,
            own.provider_id,
            providers.c.name.label("provider_name"),
            own.customer_id,
            customers.c.name.label("customer_name"),
            *(
                case((theirs, column)).label(name)  # of a customer who has passed: while somebody must still ring
                for name, column in (
                    ("customer_phone", customers.c.phone),
                    ("next_of_kin_name", customers.c.next_of_kin_name),
                    ("next_of_kin_phone", customers.c.next_of_kin_phone),
                )
            ),
            customers.c.locality_id,
            localities.c.name.label("locality_name"),
            own.worker_id,
            care_workers.c.name.label("worker_name"),
            care_workers.c.phone.label("worker_phone"),
            own.visit_id,
            planned_visits.c.start_at.label("visit_start"),
            own.slot,
            own.stage,
            own.risk,
            own.due_at,
            own.raised_at,
            own.detected_late,
            own.words,
            own.state,
            own.reclassified,
            own.outcome,
        )
        .outerjoin(providers, providers.c.provider_id == own.provider_id)
        .outerjoin(customers, customers.c.customer_id == own.customer_id)
        .outerjoin(localities, localities.c.locality_id == customers.c.locality_id)
        .outerjoin(care_workers, care_workers.c.worker_id == own.worker_id)
        .outerjoin(planned_visits, planned_visits.c.visit_id == own.visit_id)
    )
