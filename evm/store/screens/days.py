"""Which days have visits near a day, under the reader's scope. Not the visits of a day (visits.py)."""

from dataclasses import dataclass
from datetime import date

from sqlalchemy import ColumnElement, case, func, select, union_all
from sqlalchemy.orm import Session

from evm.store.screens.scope import Scope, of_place, of_worker
from evm.store.tables.people import customers
from evm.store.tables.plans import planned_visits
from evm.store.tables.visits import visits


@dataclass(frozen=True, slots=True, kw_only=True)
class Around:
    """The nearest days with visits before and after a day, None when there are none."""

    before: date | None
    after: date | None

    @property
    def nearest(self) -> date | None:
        """Where to look when the day itself is empty: the newest day before, else the first after."""
        return self.before or self.after


def days_around(session: Session, *, scope: Scope, on: date) -> Around:
    """The nearest days before and after `on` on which the scope has visits, planned or not."""
    planned, newest = planned_visits.c, visits.c
    days = union_all(
        select(
            func.max(_day(planned.care_day, planned.care_day < on)),
            func.min(_day(planned.care_day, planned.care_day > on)),
        ).where(
            of_place(scope, provider=planned.provider_id, locality=planned.locality_id),
            of_worker(scope, visit_id=planned.visit_id, visit_key=planned.visit_id),
        ),
        select(
            func.max(_day(newest.care_day, newest.care_day < on)), func.min(_day(newest.care_day, newest.care_day > on))
        )
        .join(customers, customers.c.customer_id == newest.customer_id)
        .where(
            newest.is_newest,
            newest.visit_id.is_(None),
            of_place(scope, provider=newest.provider_id, locality=customers.c.locality_id),
            of_worker(scope, visit_id=newest.visit_id, visit_key=newest.visit_key),
        ),
    )
    rows = session.execute(days).all()
    return Around(
        before=max((row[0] for row in rows if row[0] is not None), default=None),
        after=min((row[1] for row in rows if row[1] is not None), default=None),
    )


def _day(column: ColumnElement[date], wanted: ColumnElement[bool]) -> ColumnElement[date]:
    return case((wanted, column))
