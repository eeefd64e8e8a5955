"""Rosters as the page lists and shows them, under the reader's scope. Not making or publishing them (evm.services.roster)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Select, false, select, true
from sqlalchemy.orm import Session

from evm.store.screens.scope import Scope, of_place
from evm.store.tables.people import care_workers, customers, localities, providers
from evm.store.tables.plans import planned_visits
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


def without_passed(session: Session, *, provider_id: str, body: Mapping[str, Any]) -> dict[str, Any]:
    """A roster's body without the visits that are another provider's by now: whose customers have passed on, their visits have, too."""
    named = {stop["visit"] for run in body["runs"] for stop in run["stops"]} | {
        one["visit"] for one in body["unfilled"]
    }
    passed: set[str] = set()
    ordered = sorted(named)
    for start in range(0, len(ordered), 500):
        visit = planned_visits.c
        query = select(visit.visit_id).where(
            visit.visit_id.in_(ordered[start : start + 500]), visit.provider_id != provider_id
        )
        passed.update(session.execute(query).scalars())
    if not passed:
        return dict(body)
    runs = [{**run, "stops": [stop for stop in run["stops"] if stop["visit"] not in passed]} for run in body["runs"]]
    return {
        **body,
        "runs": [run for run in runs if run["stops"]],
        "unfilled": [one for one in body["unfilled"] if one["visit"] not in passed],
        "changes": [one for one in body.get("changes", ()) if one.get("visit") not in passed],
        "suspended": [one for one in body.get("suspended", ()) if one not in passed],
        "pins": {visit: pin for visit, pin in body.get("pins", {}).items() if visit not in passed},
        "violations": [one for one in body.get("violations", ()) if one.get("visit") not in passed],
    }


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
