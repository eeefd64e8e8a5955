"""A published roster mended around workers who cannot come, as a draft for a person to publish. Not the search (rostering.replan), and it
writes no leave: that is the provider's word about its worker."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from sqlalchemy.orm import Session

from evm.domain.ids import LocalityId, ProviderId, WorkerId
from evm.domain.period import in_zone
from evm.domain.policy import Policy
from evm.gateways.road_times import RoadSource
from evm.services.popback_places import standing_roster
from evm.services.roster import RosterRefused
from evm.services.roster_drafts import Prepared, add_replanned, prepare, prepare_again
from evm.services.roster_problem import Wishes
from rostering.replan import Replanned, replan
from rostering.roster import Roster
from rostering.stop import Progress, StopRule


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedReplan:
    """A published roster and what has happened to it. `frozen_before`: second of the day before which visits have begun."""

    prepared: Prepared
    published: Roster
    published_id: str
    away: frozenset[WorkerId]
    frozen_before: int | None


def prepare_replan(
    session: Session,
    *,
    locality_id: LocalityId,
    provider_id: ProviderId,
    day: date,
    away: Collection[WorkerId],
    seed: int,
    now: datetime,
    policy: Policy,
    wishes: Wishes | None = None,
    roads: RoadSource | None = None,
) -> PreparedReplan:
    """Read the published roster of the day and everything it depends on. Those whom that roster was mended around stay away.

    Raises RosterRefused when none is published, when the day is over, or for a worker who is not of the locality; RoadsRefused."""
    prepared = prepare(
        session,
        locality_id=locality_id,
        provider_id=provider_id,
        day=day,
        seed=seed,
        policy=policy,
        wishes=wishes or Wishes(),
        roads=roads,
    )
    record, known = prepared.day.published, prepared.problem.worker_by_id()
    if record is None:
        raise RosterRefused(f"No roster of {locality_id} is published for {day}: make one instead.")
    for worker in sorted(away):
        if worker not in known:
            raise RosterRefused(f"{worker} is not a worker of this locality; there are {', '.join(sorted(known))}.")
    if now >= prepared.day.until:
        raise RosterRefused(f"{day} is over: a roster of the past is not made again.")
    return PreparedReplan(
        prepared=prepared,
        published=standing_roster(body=record.body, day=prepared.day, problem=prepared.problem),
        published_id=record.roster_id,
        away=frozenset(away) | {WorkerId(worker) for worker in record.body.get("away", ()) if worker in known},
        frozen_before=prepared.day.second(now) if now > prepared.day.origin else None,
    )


def replan_prepared(
    question: PreparedReplan, *, stop: StopRule, progress: Callable[[Progress], None] | None = None
) -> Replanned:
    """Mend it here and now, without a database: every visit that another worker can take is filled, little else changes."""
    return replan(
        problem=question.prepared.problem,
        published=question.published,
        sick=frozenset(str(worker) for worker in question.away),
        stop=stop,
        seed=question.prepared.seed,
        frozen_before=question.frozen_before,
        report=progress,
    )


def keep_replanned(
    session: Session, *, question: PreparedReplan, replanned: Replanned, now: datetime, policy: Policy
) -> str:
    """Store the mended roster as a draft; its id. Raises RosterRefused when another roster was published, or plans or people changed,
    meanwhile."""
    again = prepare_again(session, prepared=question.prepared, policy=policy)
    published = again.day.published
    if (
        published is None
        or published.roster_id != question.published_id
        or again.problem_sha256 != question.prepared.problem_sha256
    ):
        raise RosterRefused("The roster, plans or people changed while it was mended: do it again.")
    mended = replace(question.prepared, problem=replanned.problem)
    return add_replanned(session, prepared=mended, replanned=replanned, away=question.away, now=now, policy=policy)


def told(question: PreparedReplan, replanned: Replanned, *, policy: Policy) -> Mapping[str, Any]:
    """What the mending changes and what it leaves open, as plain values for people and machines."""
    day = question.prepared.day

    def at(slot: tuple[str, int] | None) -> dict[str, Any] | None:
        if slot is None:
            return None
        return {"worker": slot[0], "start": in_zone(day.instant(slot[1]), zone=policy.zone).isoformat()}

    return {
        "changed_share": round(replanned.changed_share, 4),
        "changed": [
            {
                "visit": change.visit,
                "slot": change.slot,
                "was": at(change.was),
                "becomes": at(change.becomes),
                "is_of_those_away": change.is_lost,
            }
            for change in replanned.changed
        ],
        "unfilled": [
            {
                "visit": each.visit,
                "slot": each.slot,
                "reason": each.reason,
                "nearest": [near.sentence for near in each.nearest],
            }
            for each in replanned.unfilled
        ],
    }
