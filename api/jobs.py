"""A server's standing jobs, by what they are for: watching deadlines, telling people, working off what can wait, sending down to phones.
Not the rules of any of them (evm.services, devices.downlink) and not the beat (api.pulse)."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Final

from sqlalchemy.orm import Session

from api.parts import Parts
from api.pulse import Job
from devices import downlink
from devices.downlink import Publish
from evm.domain.period import care_day
from evm.gateways.notify import NotifyGateway
from evm.services import invoice, notify, plan_following, popback, price, reconcile, transfers, watch
from evm.store import locks, partitions, people, uploads

RECONCILED_AT_ONCE_MAX: Final = 50
RECONCILED_A_BEAT_MAX: Final = 500
PLANS_A_BEAT_MAX: Final = 100
PRICED_EVERY_BEATS: Final = 30
PARTITIONS_EVERY_BEATS: Final = 3600
PATIENCE_SECONDS: Final = MappingProxyType({"watch": 60.0, "notify": 120.0, "work": 900.0, "ingest": 60.0})
"""How long a kind of jobs may take over one transaction before its process is held to have hung: a council's invoice takes its time."""

SETTLE: Final = timedelta(seconds=60)
"""A visit reconciled so long ago is committed, or is never: longer than a transaction may stand (api.serve)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkJob:
    """A standing job of another part of popback: `run(session, now)` is called in a transaction of its own at every `every_beats`-th
    second, and at the start; by one process at a time, however many there are."""

    name: str
    run: Callable[[Session, datetime], object]
    every_beats: int = 1


MONTHS_EVERY_BEATS: Final = 3600
UPLOADS_EVERY_BEATS: Final = 60
WORK_JOBS: Final[tuple[WorkJob, ...]] = (
    WorkJob(
        name="months ahead",
        run=lambda session, now: partitions.keep_ahead(session, now=now),
        every_beats=MONTHS_EVERY_BEATS,
    ),
    WorkJob(
        name="forget uploads",
        run=lambda session, now: uploads.forget_expired(session, now=now),
        every_beats=UPLOADS_EVERY_BEATS,
    ),
)
"""What others want done beside the product's own work: one line each."""


def watching(parts: Parts) -> tuple[Job, ...]:
    """What must go on whatever else is down: deadlines that come become alerts, with the evidence they need."""

    def sweep() -> Iterator[int]:
        mark = None
        while True:
            with parts.sessions.begin() as session:
                done = watch.sweep_round(session, now=parts.clock(), policy=parts.policy, after=mark)
            if done.mark is None:
                return
            mark = done.mark
            yield len(done.raised)

    return (Job(name="sweep", run=sweep),)


def telling(parts: Parts, *, gateway: NotifyGateway) -> tuple[Job, ...]:
    """People are told what the outbox holds for them."""
    return (Job(name="tell", run=lambda: notify.drain(sessions=parts.sessions, clock=parts.clock, gateway=gateway)),)


def working(parts: Parts) -> tuple[Job, ...]:
    """What can wait a little: reconciling, pop-backs, releasing, pricing, and what others have added."""

    def reconcile_queued() -> Iterator[int]:
        for _ in range(RECONCILED_A_BEAT_MAX // RECONCILED_AT_ONCE_MAX):
            with parts.sessions.begin() as session:
                done = reconcile.run_pending(
                    session, now=parts.clock(), policy=parts.policy, limit=RECONCILED_AT_ONCE_MAX
                )
            if not done:
                return
            yield done

    def answer_popbacks(session: Session, now: datetime) -> object:
        return popback.answer_pending(session, now=now, policy=parts.policy)

    def price_yesterday_and_today(session: Session, now: datetime) -> object:
        today = care_day(now, zone=parts.policy.zone)
        since, until = today - timedelta(days=1), today + timedelta(days=1)
        return sum(
            price.price_days(
                session, provider_id=one.provider_id, since_day=since, until_day=until, policy=parts.policy
            )
            for one in people.providers(session)
        )

    def release_what_evidence_now_supports(session: Session, now: datetime) -> object:
        return invoice.rejudge_behind(session, now=now, policy=parts.policy, settle=SETTLE)

    def judge_claims_received(session: Session, now: datetime) -> object:
        return invoice.judge_received(session, now=now, policy=parts.policy, settle=SETTLE)

    def apply_transfers_due(session: Session, now: datetime) -> object:
        return transfers.apply_due(session, now=now, policy=parts.policy)

    return (
        _job(parts, "transfers", apply_transfers_due, every_beats=PRICED_EVERY_BEATS),
        Job(name="reconcile", run=reconcile_queued),
        Job(name="follow task plans", run=lambda: _follow_task_plans(parts)),
        _job(parts, "answer pop-backs", answer_popbacks),
        _job(parts, "judge claims", judge_claims_received),
        _job(parts, "release", release_what_evidence_now_supports, every_beats=PRICED_EVERY_BEATS),
        _job(parts, "price", price_yesterday_and_today, every_beats=PRICED_EVERY_BEATS),
        *(_job(parts, work.name, work.run, every_beats=work.every_beats) for work in WORK_JOBS),
    )


def _follow_task_plans(parts: Parts) -> Iterator[int]:
    """Planned visits follow task plans that came in, and those are unrolled day by day: a few customers a transaction."""
    for step in (plan_following.follow, plan_following.unroll):
        for _ in range(PLANS_A_BEAT_MAX // plan_following.CUSTOMERS_AT_ONCE):
            with parts.sessions.begin() as session:
                done = step(session, now=parts.clock(), policy=parts.policy)
            if not done:
                break
            yield done


def sending_down(parts: Parts, *, publish: Publish) -> tuple[Job, ...]:
    """Runs' notices to phones, over ingest's connection."""
    return (_job(parts, "send down", lambda session, now: downlink.drain(session, now=now, publish=publish)),)


def _job(parts: Parts, name: str, work: Callable[[Session, datetime], object], *, every_beats: int = 1) -> Job:
    """A job of one transaction, which one process at a time does: another that comes to it meanwhile leaves it alone."""

    def run() -> object:
        with parts.sessions.begin() as session:
            return work(session, parts.clock()) if locks.try_hold(session, name=f"job: {name}") else None

    return Job(name=name, run=run, every_beats=every_beats)
