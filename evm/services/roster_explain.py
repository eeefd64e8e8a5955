"""Why a roster is as it is: its score by rule, what is unfilled and why, and for a visit why this worker and who else could. It changes
nothing."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from evm.domain.period import in_zone
from evm.domain.policy import Policy
from evm.gateways.road_times import RoadSource
from evm.services.popback_places import standing_roster
from evm.services.roster import RosterRefused
from evm.services.roster_drafts import Prepared, prepare
from evm.services.roster_problem import Wishes
from evm.store import rosters
from rostering.alternatives import alternatives
from rostering.explain import visit_scores
from rostering.popback import Offer
from rostering.relax import relax
from rostering.roster import Roster

OTHERS_MAX = 5


def explain_roster(session: Session, *, roster_id: str) -> Mapping[str, Any]:
    """The stored roster's own account, as plain values. Raises RosterRefused for one that is not there."""
    record = _record(session, roster_id)
    body = record.body
    bound = body["lower_bound"]
    return {
        "roster": record.roster_id,
        "locality_id": record.locality_id,
        "provider_id": record.provider_id,
        "day": record.day.isoformat(),
        "state": record.state.value,
        "made": body["made"],
        "objective": body["objective"],
        "lower_bound": bound,
        "gap": None if bound is None or not body["objective"] else round(1 - bound / body["objective"], 4),
        "score": dict(body["score"]),
        "unfilled": [
            {
                "visit": each["visit"],
                "slot": each["slot"],
                "reason": each["reason"],
                "nearest": [near["sentence"] for near in each["nearest"]],
            }
            for each in body["unfilled"]
        ],
        "violations": [each["sentence"] for each in body["violations"]],
        "findings": list(body["findings"]),
        "curve": [list(point) for point in body["curve"]],
    }


def explain_visit(
    session: Session, *, roster_id: str, visit: str, policy: Policy, roads: RoadSource | None = None
) -> Mapping[str, Any]:
    """Who has the visit and at what cost, and who else could, best first; or why nobody. Plans and people are as they stand now.

    Raises RosterRefused for a roster or a visit that is not there."""
    record = _record(session, roster_id)
    prepared = prepare(
        session,
        locality_id=record.locality_id,
        provider_id=record.provider_id,
        day=record.day,
        seed=0,
        policy=policy,
        wishes=Wishes(),
        roads=roads,
    )
    demand = prepared.problem.demand_by_id().get(visit)
    if demand is None:
        raise RosterRefused(f"Visit {visit} is not to be made on {record.day}.", visits=[visit])
    roster = standing_roster(body=record.body, day=prepared.day, problem=prepared.problem)
    starts = roster.starts()
    scored = next(each for each in visit_scores(problem=prepared.problem, roster=roster) if each.visit == visit)
    found = alternatives(problem=prepared.problem, roster=roster, visit=visit, limit=OTHERS_MAX)
    blocked = [each for each in record.body["unfilled"] if each["visit"] == visit]
    return {
        "roster": roster_id,
        "visit": visit,
        "workers": list(found.workers),
        "start": None if (visit, 0) not in starts else _local(prepared, starts[visit, 0][1], policy=policy),
        "preferred_workers": sorted(demand.preferred_workers),
        "points": found.points,
        "score": {name: points for name, points in asdict(scored).items() if name != "visit"},
        "others": [_other(prepared, offer, policy=policy) for offer in found.others],
        "nobody_else": "" if found.others else found.reason,
        "unfilled": [
            {
                "slot": each["slot"],
                "reason": each["reason"],
                "nearest": [near["sentence"] for near in each["nearest"]],
            }
            for each in blocked
        ],
        "possible_if": _possible_if(prepared, roster, visit, policy=policy) if blocked else None,
    }


def _possible_if(prepared: Prepared, roster: Roster, visit: str, *, policy: Policy) -> Mapping[str, Any]:
    """The least that would have to give so that somebody could make the visit."""
    found = relax(problem=prepared.problem, roster=roster, visit=visit)
    return {
        "conflict": list(found.conflict),
        "relax": [each.sentence for each in found.relax],
        "workers": list(found.workers),
        "start": None if found.start is None else _local(prepared, found.start, policy=policy),
        "reason": found.reason,
    }


def _record(session: Session, roster_id: str) -> rosters.RosterRecord:
    record = rosters.roster(session, roster_id=roster_id)
    if record is None:
        raise RosterRefused(f"There is no roster {roster_id}: popback roster list names them.")
    return record


def _other(prepared: Prepared, offer: Offer, *, policy: Policy) -> Mapping[str, Any]:
    return {
        "workers": list(offer.workers),
        "start": _local(prepared, offer.start, policy=policy),
        "points": offer.points,
        "extra_travel_seconds": offer.extra_travel_seconds,
        "moved": [
            {"visit": move.visit, "worker": move.worker, "becomes": _local(prepared, move.becomes, policy=policy)}
            for move in offer.moved
        ],
    }


def _local(prepared: Prepared, second: int, *, policy: Policy) -> str:
    found: datetime = in_zone(prepared.day.instant(second), zone=policy.zone)
    return found.isoformat()
