"""Where a reader may look: applied inside every query of this package, so that a foreign row is the same as none. Not roles (api.auth)."""

from dataclasses import dataclass

from sqlalchemy import ColumnElement, Subquery, and_, exists, false, func, or_, select, true
from sqlalchemy.orm import Session

from evm.store.tables.evidence import evidence
from evm.store.tables.people import customers, localities
from evm.store.tables.plans import planned_slots
from evm.store.tables.transfers import provider_spells, transfers


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """The intersection of the ids that are set; `nothing` sees nothing; all None sees everything (admin)."""

    nothing: bool = False
    council_id: str | None = None
    provider_id: str | None = None
    locality_id: str | None = None
    worker_id: str | None = None

    def permits(self, *, provider_id: str | None, locality_id: str | None, council_id: str | None) -> bool:
        """The same judgement on a row that is already read (live changes). Worker scope never permits."""
        if self.nothing or self.worker_id is not None:
            return False
        pairs = ((self.provider_id, provider_id), (self.locality_id, locality_id), (self.council_id, council_id))
        return all(mine is None or mine == theirs for mine, theirs in pairs)


def of_place(
    scope: Scope, *, provider: ColumnElement[str], locality: ColumnElement[str] | ColumnElement[str | None]
) -> ColumnElement[bool]:
    """Rows of a provider and a locality that the scope covers (worker scope aside)."""
    if scope.nothing:
        return false()
    tests: list[ColumnElement[bool]] = [true()]
    if scope.provider_id is not None:
        tests.append(provider == scope.provider_id)
    if scope.locality_id is not None:
        tests.append(locality == scope.locality_id)
    if scope.council_id is not None:
        theirs = localities.alias(
            "localities_of_council"
        )  # a name of its own: the query around may read localities, too
        tests.append(locality.in_(select(theirs.c.locality_id).where(theirs.c.council_id == scope.council_id)))
    return and_(*tests)


def of_place_or_own(
    scope: Scope, *, provider: ColumnElement[str], locality: ColumnElement[str] | ColumnElement[str | None]
) -> ColumnElement[bool]:
    """As `of_place`; under worker scope every row, for a query that names the worker (`of_worker`): what a worker did for a provider she
    was with before is hers to see."""
    if scope.worker_id is not None and not scope.nothing:
        return true()
    return of_place(scope, provider=provider, locality=locality)


def came_from_elsewhere(scope: Scope) -> Subquery:
    """Customers (`subject_id`) who have passed to the scope's provider and are with it now, with the day `since` which; of those only
    whose days before the council lets it see."""
    spell = provider_spells.c
    return (
        select(spell.subject_id, func.max(spell.since).label("since"))
        .join(transfers, transfers.c.transfer_id == spell.transfer_id)
        .join(customers, customers.c.customer_id == spell.subject_id)
        .where(
            spell.kind == "customer",
            spell.provider_id == scope.provider_id,
            transfers.c.state == "applied",
            transfers.c.shows_history,
            customers.c.provider_id == scope.provider_id,
        )
        .group_by(spell.subject_id)
        .subquery("came_from_elsewhere")
    )


def of_anybody_there(scope: Scope, *, locality: ColumnElement[str] | ColumnElement[str | None]) -> ColumnElement[bool]:
    """As `of_place`, whatever the provider."""
    anybodys = Scope(nothing=scope.nothing, council_id=scope.council_id, locality_id=scope.locality_id)
    return of_place(anybodys, provider=locality, locality=locality)  # type: ignore[arg-type]


def of_provider(scope: Scope, *, provider: ColumnElement[str]) -> ColumnElement[bool]:
    """Rows that name a provider and no customer (a blind channel): for that provider and for councils and localities it serves."""
    if scope.nothing or scope.worker_id is not None:
        return false()
    tests: list[ColumnElement[bool]] = [true()]
    if scope.provider_id is not None:
        tests.append(provider == scope.provider_id)
    if scope.locality_id is not None or scope.council_id is not None:
        served = customers.alias("customers_served")
        tests.append(
            exists().where(
                served.c.provider_id == provider,
                of_place(scope, provider=served.c.provider_id, locality=served.c.locality_id),
            )
        )
    return and_(*tests)


def of_worker(
    scope: Scope, *, visit_id: ColumnElement[str] | ColumnElement[str | None], visit_key: ColumnElement[str]
) -> ColumnElement[bool]:
    """Under worker scope: visits they are rostered on, or unplanned ones that their own check-in opened."""
    if scope.worker_id is None:
        return true()
    mine, said = planned_slots.alias("own_slots"), evidence.alias("own_evidence")
    rostered = exists().where(mine.c.visit_id == visit_id, mine.c.worker_id == scope.worker_id)
    opened = exists().where(said.c.worker_id == scope.worker_id, visit_key == "unplanned:" + said.c.event_id)
    return or_(rostered, opened)


def customer_visible(session: Session, *, scope: Scope, customer_id: str) -> bool:
    """Whether the scope covers this customer. Worker scope covers none: they see visits."""
    if scope.worker_id is not None:
        return False
    found = session.execute(
        select(customers.c.customer_id).where(
            customers.c.customer_id == customer_id,
            of_place(scope, provider=customers.c.provider_id, locality=customers.c.locality_id),
        )
    )
    return found.first() is not None


def localities_visible(session: Session, *, scope: Scope) -> tuple[tuple[str, str], ...]:
    """Id and name of the localities in which the scope sees customers, by name."""
    seen = (
        select(customers.c.locality_id)
        .where(of_place(scope, provider=customers.c.provider_id, locality=customers.c.locality_id))
        .distinct()
    )
    rows = session.execute(
        select(localities.c.locality_id, localities.c.name)
        .where(localities.c.locality_id.in_(seen))
        .order_by(localities.c.name)
    )
    return tuple((row.locality_id, row.name) for row in rows)
