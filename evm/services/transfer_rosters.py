"""Published rosters from a transfer's day on: handed over whole where everybody in them passes, else split into two, each published anew,
so that runs go on as they were. Not the handing over of visits (evm.services.transfers)."""

import hashlib
import logging
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import date, datetime
from functools import partial
from typing import Final

from sqlalchemy.orm import Session

from evm.domain.ids import LocalityId, ProviderId, VisitId, WorkerId
from evm.domain.period import care_day
from evm.domain.policy import Policy
from evm.domain.transfer import Transfer
from evm.services.roster import adopt, publish
from evm.services.roster_body import stops_of
from evm.services.roster_notices import tell_workers
from evm.services.roster_problem import load_day
from evm.store import people, plans, rosters, transfers
from evm.store.rosters import RosterRecord
from evm.store.savepoint import Done, attempt

BY: Final = "provider change"

_LOG: Final = logging.getLogger(__name__)


def pass_rosters_on(
    session: Session,
    *,
    transfer: Transfer,
    days: Sequence[tuple[LocalityId, date]],
    visits: Collection[VisitId],
    emptied: Collection[VisitId],
    now: datetime,
    policy: Policy,
) -> tuple[int, tuple[str, ...]]:
    """Publish, for both providers, the rosters of these localities and days that the visits handed over or emptied stand in. A roster of
    which nothing is left is withdrawn; so is one that cannot be made again, which holds nothing up: workers stay on their visits, and
    somebody must make it. One of a day that is over is handed over whole or stays: it says who was to come. Answers how many were
    published, and which ("provider locality day") were not."""
    today = care_day(now, zone=policy.zone)
    changed = plans.planned_visits_of(session, visit_ids={*visits, *emptied})
    touched = {(visit.locality_id, care_day(visit.start, zone=policy.zone)) for visit in changed}
    passed, unfilled = frozenset(visits), frozenset(emptied)
    published, failed = 0, list[str]()
    for locality, day in days:
        if (locality, day) not in touched:
            continue
        record = rosters.published(session, locality_id=locality, provider_id=transfer.from_provider, day=day)
        if record is not None and _passes_whole(session, record, transfer, passed=passed - unfilled):
            _hand_over(session, record, transfer, now)
            published += 1
            continue
        if day < today:
            continue
        for provider in (transfer.from_provider, transfer.to_provider):
            outcome = attempt(session, work=partial(_publish, session, provider, locality, day, now, policy))
            if isinstance(outcome, Done):
                published += outcome.value
                continue
            name = f"{provider} {locality} {day.isoformat()}"
            _LOG.error("the roster %s cannot be made again after a transfer", name, exc_info=outcome.error)
            transfers.supersede(session, provider=provider, locality=locality, day=day)
            failed.append(name)
    return published, tuple(failed)


def _passes_whole(session: Session, record: RosterRecord, transfer: Transfer, *, passed: Collection[VisitId]) -> bool:
    """Whether every visit and worker of the roster has passed, all slots as they were, and the new provider has no roster of that day."""
    body = record.body
    named = {stop["visit"] for _, stop in stops_of(body)} | {one["visit"] for one in body["unfilled"]}
    if not named | set(body.get("suspended", ())) <= set(passed):
        return False
    workers = people.workers(session, worker_ids={WorkerId(run["worker"]) for run in body["runs"]})
    if any(worker.provider_id != transfer.to_provider for worker in workers):
        return False
    theirs = rosters.published(
        session, locality_id=record.locality_id, provider_id=transfer.to_provider, day=record.day
    )
    return theirs is None


def _hand_over(session: Session, record: RosterRecord, transfer: Transfer, now: datetime) -> None:
    """The same roster as the new provider's; the old one's is superseded. Phones with a new credential are told of it."""
    provider, locality, day = transfer.to_provider, record.locality_id, record.day
    version = rosters.next_version(session, locality_id=locality, provider_id=provider, day=day)
    key = f"{locality}|{provider}|{day.isoformat()}|{version}"
    taken = replace(
        record,
        roster_id="r" + hashlib.sha256(key.encode()).hexdigest()[:24],
        provider_id=provider,
        version=version,
        made_at=now,
        published_at=now,
        published_by=BY,
    )
    transfers.supersede(session, provider=transfer.from_provider, locality=locality, day=day)
    rosters.add(session, record=taken)
    tell_workers(session, record=taken, before=None, now=now)


def _publish(
    session: Session, provider: ProviderId, locality: LocalityId, day: date, now: datetime, policy: Policy
) -> int:
    loaded = load_day(session, locality_id=locality, provider_id=provider, day=day, policy=policy)
    if not loaded.visits:
        transfers.supersede(session, provider=provider, locality=locality, day=day)
        return 0
    known = {worker.worker_id for worker in loaded.workers}
    rostered = {
        visit.visit_id: [worker if worker in known else None for worker in visit.rostered] for visit in loaded.visits
    }
    draft = adopt(
        session,
        locality_id=locality,
        provider_id=provider,
        day=day,
        workers=rostered,
        now=now,
        policy=policy,
    )
    publish(session, roster_id=draft, by=BY, now=now, policy=policy)
    return 1
