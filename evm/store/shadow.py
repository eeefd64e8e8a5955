"""The history of each provider's shadow mode with a council: the newest entry stands. Not what shadow mode pays (evm.domain.billing.judge)
and not who may set it (evm.services.shadow)."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Select, insert, select
from sqlalchemy.orm import Session

from evm.domain.ids import CouncilId, ProviderId
from evm.store.money import RECEIVED
from evm.store.tables.feeds import shadow_terms as t
from evm.store.tables.money import invoices


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowEntry:
    """One setting. Care days before `shadow_until` hold no money; None: shadow mode is off. `before`: what stood until then."""

    council: CouncilId
    provider: ProviderId
    shadow_until: date | None
    before: date | None
    why: str
    who: str
    set_at: datetime


def add_entry(session: Session, *, entry: ShadowEntry) -> None:
    """Append a setting; from now on it stands."""
    session.execute(
        insert(t).values(
            council_id=entry.council,
            provider_id=entry.provider,
            shadow_until=entry.shadow_until,
            before=entry.before,
            why=entry.why,
            who=entry.who,
            set_at=entry.set_at,
        )
    )


def newest_entry(session: Session, *, council_id: CouncilId, provider_id: ProviderId) -> ShadowEntry | None:
    """What stands; None when nothing was ever set and the agreement's own term holds."""
    return next(iter(_entries(session, _of(council_id, provider_id).order_by(t.c.entry_id.desc()).limit(1))), None)


def history(session: Session, *, council_id: CouncilId, provider_id: ProviderId) -> tuple[ShadowEntry, ...]:
    """Every setting, the newest first."""
    return _entries(session, _of(council_id, provider_id).order_by(t.c.entry_id.desc()))


def judged_invoices(
    session: Session, *, council_id: CouncilId, provider_id: ProviderId, since: date, until: date
) -> tuple[tuple[str, str, date], ...]:
    """Id, number and first day after of the judged invoices with a day in `[since, until)`, the latest last."""
    own = invoices.c
    query = (
        select(own.invoice_id, own.number, own.period_until)
        .where(own.council_id == council_id, own.provider_id == provider_id, own.state != RECEIVED)
        .where(own.period_since < until, own.period_until > since)
        .order_by(own.period_until, own.invoice_id)
    )
    return tuple((row.invoice_id, row.number, row.period_until) for row in session.execute(query))


def _of(council_id: CouncilId, provider_id: ProviderId) -> Select[Any]:
    return select(t).where(t.c.council_id == council_id, t.c.provider_id == provider_id)


def _entries(session: Session, query: Select[Any]) -> tuple[ShadowEntry, ...]:
    return tuple(
        ShadowEntry(
            council=CouncilId(row.council_id),
            provider=ProviderId(row.provider_id),
            shadow_until=row.shadow_until,
            before=row.before,
            why=row.why,
            who=row.who,
            set_at=row.set_at,
        )
        for row in session.execute(query)
    )
