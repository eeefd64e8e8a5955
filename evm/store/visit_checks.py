"""Whether the kept versions of visits are in order: a check for faults and audits. Not the visits themselves (evm.store.visits)."""

from sqlalchemy import Integer, cast, func, or_, select
from sqlalchemy.orm import Session

from evm.store.tables.visits import visits


def versions_amiss(session: Session) -> int:
    """How many visits have versions that are not 1 to n, or more than one newest, or a newest that is not the last."""
    newest = func.sum(cast(visits.c.is_newest, Integer))
    newest_version = func.max(visits.c.version).filter(visits.c.is_newest)
    amiss = (
        select(visits.c.visit_key)
        .group_by(visits.c.visit_key)
        .having(
            or_(
                func.count() != func.max(visits.c.version),
                func.min(visits.c.version) != 1,
                newest > 1,
                newest_version != func.max(visits.c.version),
            )
        )
        .subquery()
    )
    return session.execute(select(func.count()).select_from(amiss)).scalar_one()
