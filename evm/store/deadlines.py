"""Deadline rows: by when somebody must have come or gone. Written when a roster is published, judged once by a watcher.
Not the alerts they become (evm.store.alerts)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import Row, and_, bindparam, func, or_, select, update
from sqlalchemy.orm import Session

from evm.domain.ids import VisitId
from evm.store.tables.alerts import deadlines as t
from evm.store.writes import insert_new

MET = "met"
ALERTED = "alerted"
VOID = "void"
IDS_A_STATEMENT = 500
Mark = tuple[datetime, int]
"""A deadline's place in the order they fall due: its instant and id."""


class NewDeadline(Protocol):
    """What a deadline needs to be written: the domain's `Deadline` and this module's `DeadlineRow` both have it."""

    @property
    def visit_id(self) -> VisitId: ...
    @property
    def revision(self) -> int: ...
    @property
    def slot(self) -> int: ...
    @property
    def stage(self) -> str: ...
    @property
    def due_at(self) -> datetime: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadlineRow:
    """One stage of one slot of one revision of a planned visit. `judged_at` None: still open. `verdict`: met, alerted or void."""

    visit_id: VisitId
    revision: int
    slot: int
    stage: str
    due_at: datetime
    deadline_id: int = 0
    judged_at: datetime | None = None
    verdict: str | None = None


def add_deadlines(session: Session, *, deadlines: Sequence[NewDeadline]) -> None:
    """Write deadlines; one that stands already (visit, revision, slot, stage) is left as it is."""
    values = [
        {
            "visit_id": d.visit_id,
            "revision": d.revision,
            "slot": d.slot,
            "stage": str(d.stage),
            "due_at": d.due_at,
        }
        for d in deadlines
    ]
    if values:
        session.connection().execute(insert_new(session, t), values)


def due(session: Session, *, now: datetime, limit: int, after: Mark | None = None) -> tuple[DeadlineRow, ...]:
    """Open deadlines at or before `now` and beyond `after`, the oldest first. On PostgreSQL they are locked, and another watcher skips
    them."""
    query = select(t).where(t.c.judged_at.is_(None), t.c.due_at <= now)
    if after is not None:
        at, deadline_id = after
        query = query.where(or_(t.c.due_at > at, and_(t.c.due_at == at, t.c.deadline_id > deadline_id)))
    query = query.order_by(t.c.due_at, t.c.deadline_id).limit(limit).with_for_update(skip_locked=True)
    return tuple(_row(r) for r in session.execute(query))


def next_due(session: Session) -> datetime | None:
    """When the next open deadline falls due; None when none is open."""
    return session.execute(select(func.min(t.c.due_at)).where(t.c.judged_at.is_(None))).scalar()


def overdue_count(session: Session, *, now: datetime) -> int:
    """How many open deadlines are due."""
    return session.execute(select(func.count()).where(t.c.judged_at.is_(None), t.c.due_at <= now)).scalar_one()


def judge(session: Session, *, verdicts: Mapping[int, str], now: datetime) -> frozenset[int]:
    """Set the verdicts of deadlines that are still open, and answer which these were: what another watcher judged is left alone."""
    done: set[int] = set()
    for verdict in sorted(set(verdicts.values())):
        ids = sorted(i for i, said in verdicts.items() if said == verdict)
        for start in range(0, len(ids), IDS_A_STATEMENT):
            query = (
                update(t)
                .where(t.c.deadline_id.in_(ids[start : start + IDS_A_STATEMENT]), t.c.judged_at.is_(None))
                .values(judged_at=now, verdict=verdict)
                .returning(t.c.deadline_id)
            )
            done.update(session.execute(query).scalars())
    return frozenset(done)


def postpone(session: Session, *, due_at: Mapping[int, datetime]) -> None:
    """Look at these open deadlines at another time (the worker came late and may stay as long as planned; the plan changed)."""
    if due_at:
        later = (
            update(t)
            .where(t.c.deadline_id == bindparam("the_id"), t.c.judged_at.is_(None))
            .values(due_at=bindparam("new_due_at"))
        )
        moved = [{"the_id": deadline_id, "new_due_at": instant} for deadline_id, instant in sorted(due_at.items())]
        session.connection().execute(later, moved)


def void(session: Session, *, visit_id: VisitId, now: datetime, before_revision: int | None = None) -> int:
    """Void a visit's open deadlines (it was cancelled), or those of revisions before `before_revision` (it was changed)."""
    query = update(t).where(t.c.visit_id == visit_id, t.c.judged_at.is_(None))
    if before_revision is not None:
        query = query.where(t.c.revision < before_revision)
    done = session.execute(query.values(judged_at=now, verdict=VOID).returning(t.c.deadline_id))
    return len(done.all())


def deadlines_of(session: Session, *, visit_ids: Collection[VisitId]) -> tuple[DeadlineRow, ...]:
    """All deadlines of these visits, judged or open, by due time."""
    found: list[DeadlineRow] = []
    wanted = sorted(set(visit_ids))
    for start in range(0, len(wanted), IDS_A_STATEMENT):
        query = select(t).where(t.c.visit_id.in_(wanted[start : start + IDS_A_STATEMENT]))
        found += [_row(r) for r in session.execute(query)]
    return tuple(sorted(found, key=lambda d: (d.due_at, d.deadline_id)))


def open_deadlines_of(session: Session, *, visit_ids: Collection[VisitId]) -> tuple[DeadlineRow, ...]:
    """The deadlines of these visits that nobody has judged, by due time."""
    found: list[DeadlineRow] = []
    wanted = sorted(set(visit_ids))
    for start in range(0, len(wanted), IDS_A_STATEMENT):
        query = select(t).where(t.c.visit_id.in_(wanted[start : start + IDS_A_STATEMENT]), t.c.judged_at.is_(None))
        found += [_row(r) for r in session.execute(query)]
    return tuple(sorted(found, key=lambda d: (d.due_at, d.deadline_id)))


def _row(r: Row[Any]) -> DeadlineRow:
    return DeadlineRow(
        visit_id=VisitId(r.visit_id),
        revision=r.revision,
        slot=r.slot,
        stage=r.stage,
        due_at=r.due_at,
        deadline_id=r.deadline_id,
        judged_at=r.judged_at,
        verdict=r.verdict,
    )
