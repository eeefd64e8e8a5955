"""Rosters as the page lists and shows them, under the reader's scope. Not making or publishing them (evm.services.roster)."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Select, false, select, true
from sqlalchemy.orm import Session

from evm.store.screens.scope import Scope, of_place
from evm.store.tables.people import care_workers, customers, localities, providers
from evm.store.tables.rosters import rosters


@dataclass(frozen=True, slots=True, kw_only=True)
class RosterRow:
    """One roster in the list, without its runs."""

    roster_id: str
    locality_id: str
    locality_name: str
    provider_id: str
    provider_name: str
    day: date
    state: str
    version: int
    made_at: datetime
    published_at: datetime | None
    published_by: str | None
    unfilled: int
    violations: int
    travel_seconds: int


def listed(session: Session, *, scope: Scope, limit: int, state: str | None = None) -> tuple[RosterRow, ...]:
    """Rosters of the scope (in one state, if given), the latest day and newest version first."""
    rows = session.execute(
        _selected(scope)
        .where(rosters.c.state == state if state is not None else true())
        .order_by(rosters.c.day.desc(), localities.c.name, rosters.c.version.desc())
        .limit(limit)
    ).mappings()
    return tuple(RosterRow(**dict(row)) for row in rows)


def one(session: Session, *, scope: Scope, roster_id: str) -> RosterRow | None:
    """One roster, None when it does not exist or is out of scope."""
    row = session.execute(_selected(scope).where(rosters.c.roster_id == roster_id)).mappings().first()
    return None if row is None else RosterRow(**dict(row))


def customers_named(session: Session, *, customer_ids: frozenset[str]) -> dict[str, str]:
    """Names of customers by id; the caller has already judged the scope of what names them."""
    rows = session.execute(
        select(customers.c.customer_id, customers.c.name).where(customers.c.customer_id.in_(customer_ids))
    )
    return {row.customer_id: row.name for row in rows}


def workers_named(session: Session, *, worker_ids: frozenset[str]) -> dict[str, str]:
    """Names of care workers by id."""
    rows = session.execute(
        select(care_workers.c.worker_id, care_workers.c.name).where(care_workers.c.worker_id.in_(worker_ids))
    )
    return {row.worker_id: row.name for row in rows}


def _selected(scope: Scope) -> Select[Any]:
    own = rosters.c
    visible = (
        false() if scope.worker_id is not None else of_place(scope, provider=own.provider_id, locality=own.locality_id)
    )
    return (
        select(
            own.roster_id,
            own.locality_id,
            localities.c.name.label("locality_name"),
            own.provider_id,
            providers.c.name.label("provider_name"),
            own.day,
            own.state,
            own.version,
            own.made_at,
            own.published_at,
            own.published_by,
            own.unfilled,
            own.violations,
            own.travel_seconds,
        )
        .join(localities, localities.c.locality_id == own.locality_id)
        .join(providers, providers.c.provider_id == own.provider_id)
        .where(visible)
    )
