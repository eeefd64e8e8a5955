"""Shadow mode of each council and provider as the page of invoices shows it. Not setting it (evm.services.shadow)."""

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy import ColumnElement, and_, false, select, true
from sqlalchemy.orm import Session

from evm.domain.billing.agreement import agreement_on
from evm.domain.ids import CouncilId, ProviderId
from evm.store import money
from evm.store.screens.scope import Scope
from evm.store.tables.feeds import shadow_terms
from evm.store.tables.money import agreements
from evm.store.tables.people import councils, providers

SETTINGS_SHOWN = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """A council and a provider with an agreement between them, and until which day (the first that holds money) shadow mode runs."""

    council_id: str
    council_name: str
    provider_id: str
    provider_name: str
    shadow_until: date | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One entry of the history."""

    council_name: str
    provider_name: str
    shadow_until: date | None
    before: date | None
    why: str
    who: str
    set_at: datetime


def pairs(session: Session, *, scope: Scope, today: date) -> tuple[Pair, ...]:
    """Every council and provider of the scope with an agreement between them, by name."""
    own = agreements.c
    query = (
        select(own.council_id, councils.c.name.label("council"), own.provider_id, providers.c.name.label("provider"))
        .join(councils, councils.c.council_id == own.council_id)
        .join(providers, providers.c.provider_id == own.provider_id)
        .where(_visible(scope, own.council_id, own.provider_id))
        .distinct()
    )
    found = [
        Pair(
            council_id=row.council_id,
            council_name=row.council,
            provider_id=row.provider_id,
            provider_name=row.provider,
            shadow_until=_stands(session, row.council_id, row.provider_id, today),
        )
        for row in session.execute(query)
    ]
    return tuple(sorted(found, key=lambda pair: (pair.council_name, pair.provider_name)))


def settings(session: Session, *, scope: Scope) -> tuple[Setting, ...]:
    """The newest settings of the scope, the last first."""
    own = shadow_terms.c
    query = (
        select(shadow_terms, councils.c.name.label("council"), providers.c.name.label("provider"))
        .join(councils, councils.c.council_id == own.council_id)
        .join(providers, providers.c.provider_id == own.provider_id)
        .where(_visible(scope, own.council_id, own.provider_id))
        .order_by(own.entry_id.desc())
        .limit(SETTINGS_SHOWN)
    )
    return tuple(
        Setting(
            council_name=row.council,
            provider_name=row.provider,
            shadow_until=row.shadow_until,
            before=row.before,
            why=row.why,
            who=row.who,
            set_at=row.set_at,
        )
        for row in session.execute(query)
    )


def _stands(session: Session, council_id: str, provider_id: str, today: date) -> date | None:
    own = shadow_terms.c
    newest = session.execute(
        select(own.shadow_until)
        .where(own.council_id == council_id, own.provider_id == provider_id)
        .order_by(own.entry_id.desc())
        .limit(1)
    ).first()
    if newest is not None:
        until: date | None = newest.shadow_until
        return until
    deals = money.agreements(session, provider_id=ProviderId(provider_id), council_id=CouncilId(council_id))
    current = agreement_on(deals, day=today)
    return None if current is None else current.shadow_until


def _visible(scope: Scope, council_id: ColumnElement[str], provider_id: ColumnElement[str]) -> ColumnElement[bool]:
    """As invoices: whoever is held to one locality, or to their own visits, sees none."""
    if scope.nothing or scope.worker_id is not None or scope.locality_id is not None:
        return false()
    return and_(
        council_id == scope.council_id if scope.council_id is not None else true(),
        provider_id == scope.provider_id if scope.provider_id is not None else true(),
    )
