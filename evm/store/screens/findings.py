"""Flags about workers as the page of findings shows them, and the visits their sentences name. Not finding them (evm.services.cramming)."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import ColumnElement, and_, func, select, true
from sqlalchemy.orm import Session

from evm.store.screens.scope import Scope, of_place_or_own, of_worker
from evm.store.tables.people import care_workers, customers, providers
from evm.store.tables.plans import planned_visits
from evm.store.tables.visits import worker_flags


@dataclass(frozen=True, slots=True, kw_only=True)
class FlagRow:
    """One flag. `care_day` is set for a day's roster; `period_until` is the first day after; `sentences` say what was found."""

    flag_id: int
    worker_id: str
    worker_name: str
    provider_name: str
    care_day: date | None
    period_since: date
    period_until: date
    found_at: datetime
    sentences: tuple[str, ...]
    reply: str | None


def flags(session: Session, *, scope: Scope, code: str, limit: int, offset: int) -> tuple[int, tuple[FlagRow, ...]]:
    """How many flags of this code the scope covers, and one page of them, the newest day or period first."""
    own, worker = worker_flags.c, care_workers.c
    wanted = and_(own.code == code, _visible(scope))
    joined = worker_flags.join(care_workers, worker.worker_id == own.worker_id).join(
        providers, providers.c.provider_id == own.provider_id
    )
    matching = session.execute(select(func.count()).select_from(joined).where(wanted)).scalar_one()
    rows = session.execute(
        select(
            own.flag_id,
            own.worker_id,
            worker.name.label("worker_name"),
            providers.c.name.label("provider_name"),
            own.care_day,
            own.period_since,
            own.period_until,
            own.found_at,
            own.words,
            own.body,
            own.reply,
        )
        .select_from(joined)
        .where(wanted)
        .order_by(func.coalesce(own.care_day, own.period_until).desc(), worker.name, own.flag_id)
        .limit(limit)
        .offset(offset)
    ).mappings()
    return matching, tuple(
        FlagRow(
            sentences=tuple(row["body"].get("sentences") or (row["words"],)),
            **{name: row[name] for name in FlagRow.__slots__ if name != "sentences"},
        )
        for row in rows
    )


def may_reply(session: Session, *, scope: Scope, flag_id: int) -> bool:
    """Whether this flag is about the reader themselves: nobody replies for another."""
    if scope.nothing or scope.worker_id is None:
        return False
    own = worker_flags.c
    return (
        session.execute(select(own.flag_id).where(own.flag_id == flag_id, own.worker_id == scope.worker_id)).first()
        is not None
    )


def customers_of_visits(session: Session, *, scope: Scope, visit_ids: Collection[str]) -> dict[str, str]:
    """Names of the customers of these planned visits, of those that the scope covers."""
    rows = session.execute(
        select(planned_visits.c.visit_id, customers.c.name)
        .join(customers, customers.c.customer_id == planned_visits.c.customer_id)
        .where(
            planned_visits.c.visit_id.in_(sorted(visit_ids)),
            of_place_or_own(scope, provider=planned_visits.c.provider_id, locality=planned_visits.c.locality_id),
            of_worker(scope, visit_id=planned_visits.c.visit_id, visit_key=planned_visits.c.visit_id),
        )
    )
    return {row.visit_id: row.name for row in rows}


def _visible(scope: Scope) -> ColumnElement[bool]:
    """Flags of the scope's provider about workers of its localities; to a worker, their own."""
    own = worker_flags.c.worker_id == scope.worker_id if scope.worker_id is not None else true()
    return and_(of_place_or_own(scope, provider=worker_flags.c.provider_id, locality=care_workers.c.locality_id), own)
