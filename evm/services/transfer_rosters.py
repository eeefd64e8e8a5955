"""Published rosters from a transfer's day on: one provider's is split into two, each published anew, so that runs go on as they were
with whoever passed. Not the handing over of visits (evm.services.transfers)."""

from collections.abc import Collection, Sequence
from datetime import date, datetime

from sqlalchemy.orm import Session

from evm.domain.ids import LocalityId, ProviderId, VisitId
from evm.domain.period import care_day
from evm.domain.policy import Policy
from evm.domain.transfer import Transfer
from evm.services.roster import Wishes, adopt, prepare, publish
from evm.store import plans, transfers

BY = "provider change"


def pass_rosters_on(
    session: Session,
    *,
    transfer: Transfer,
    days: Sequence[tuple[LocalityId, date]],
    visits: Collection[VisitId],
    emptied: Collection[VisitId],
    now: datetime,
    policy: Policy,
) -> int:
    """Publish anew, for both providers, the rosters of these localities and days that the visits handed over or emptied stand in; how
    many were published. A roster of which nothing is left is withdrawn."""
    touched = {
        (visit.locality_id, care_day(visit.start, zone=policy.zone))
        for visit in plans.planned_visits_of(session, visit_ids={*visits, *emptied})
    }
    published = 0
    for locality, day in days:
        if (locality, day) in touched:
            for provider in (transfer.from_provider, transfer.to_provider):
                published += _publish(session, provider, locality, day, now, policy)
    return published


def _publish(
    session: Session, provider: ProviderId, locality: LocalityId, day: date, now: datetime, policy: Policy
) -> int:
    prepared = prepare(
        session, locality_id=locality, provider_id=provider, day=day, seed=0, policy=policy, wishes=Wishes()
    )
    if not prepared.day.visits:
        transfers.supersede(session, provider=provider, locality=locality, day=day)
        return 0
    known = prepared.problem.worker_by_id()
    rostered = {
        visit.visit_id: [worker if worker in known else None for worker in visit.rostered]
        for visit in prepared.day.visits
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
