"""Draft rosters: what one is made from, and how it is stored with what the verifier and the cramming rule say of it. Not the solving
and not the publishing (evm.services.roster)."""

import hashlib
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from sqlalchemy.orm import Session

from evm.domain.ids import LocalityId, ProviderId, WorkerId
from evm.domain.policy import Policy
from evm.gateways.road_times import RoadSource
from evm.services import roster_body
from evm.services.roster_body import Said
from evm.services.roster_check import findings_of
from evm.services.roster_problem import Day, Wishes, input_sha256, load_day, places_of, problem_of, standing_pins
from evm.services.roster_travel import TravelFound, travel_by
from evm.store import rosters
from evm.store.rosters import RosterRecord, RosterState
from rostering.problem import Problem
from rostering.replan import Replanned
from rostering.roster import Roster
from rostering.solver import Result
from rostering.verify import violations


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """The question a roster answers, read in one short transaction so that the solve needs none."""

    day: Day
    problem: Problem
    wishes: Wishes
    seed: int
    travel_said: tuple[str, ...] = ()
    """What the office must know of the travel times: where they are not by road although that was asked for."""

    @property
    def problem_sha256(self) -> str:
        """A digest of the whole question."""
        return input_sha256(self.problem)


def prepare(
    session: Session,
    *,
    locality_id: LocalityId,
    provider_id: ProviderId,
    day: date,
    seed: int,
    policy: Policy,
    wishes: Wishes,
    roads: RoadSource | None = None,
) -> Prepared:
    """Read everything a roster of this day depends on; journeys by road where `roads` is given. Raises RoadsRefused."""
    loaded = load_day(session, locality_id=locality_id, provider_id=provider_id, day=day, policy=policy)
    found = travel_between(loaded, policy=policy, roads=roads)
    problem = problem_of(loaded, policy=policy, wishes=wishes, travel=found.travel)
    return Prepared(day=loaded, problem=problem, wishes=wishes, seed=seed, travel_said=found.said)


def prepare_again(session: Session, *, prepared: Prepared, policy: Policy) -> Prepared:
    """The same question as it stands now, with the travel times found before while nobody has moved."""
    day = prepared.day
    loaded = load_day(session, locality_id=day.locality_id, provider_id=day.provider_id, day=day.day, policy=policy)
    travel = prepared.problem.travel if places_of(loaded) == places_of(day) else None
    problem = problem_of(loaded, policy=policy, wishes=prepared.wishes, travel=travel)
    return replace(prepared, day=loaded, problem=problem)


def travel_between(day: Day, *, policy: Policy, roads: RoadSource | None) -> TravelFound:
    """Travel times between all places of a day's problem, by road for the modes in which its workers travel. Raises RoadsRefused."""
    places = places_of(day)
    return travel_by(
        homes=[home for _, home in places],
        names=[name for name, _ in places],
        policy=policy,
        roads=roads,
        modes=sorted({worker.mode for worker in day.workers}),
    )


def add_solved(
    session: Session,
    *,
    prepared: Prepared,
    result: Result,
    now: datetime,
    policy: Policy,
    week: Mapping[str, Any] | None = None,
) -> str:
    """Store a solved roster as a draft; its id. `week` says of which week's making it is a part."""
    body = roster_body.generated_body(
        day=prepared.day,
        problem=prepared.problem,
        result=result,
        seed=prepared.seed,
        pins={**standing_pins(prepared.day), **prepared.wishes.pins},
        said=said_of(prepared, result.roster, policy=policy),
        zone=policy.zone,
    )
    body |= {} if week is None else {"week": dict(week)}
    return _add_draft(session, prepared=prepared, roster=result.roster, body=body, now=now)


def add_replanned(
    session: Session,
    *,
    prepared: Prepared,
    replanned: Replanned,
    away: Collection[WorkerId],
    now: datetime,
    policy: Policy,
) -> str:
    """Store a mended roster as a draft; its id. What the published one broke already it may still break: each is said in the draft."""
    body = roster_body.hand_made_body(
        day=prepared.day,
        problem=prepared.problem,
        roster=replanned.roster,
        pins={**standing_pins(prepared.day), **prepared.wishes.pins},
        said=said_of(prepared, replanned.roster, policy=policy),
        zone=policy.zone,
    )
    body |= {
        "made": "mended",
        "seed": prepared.seed,
        "iterations": replanned.iterations,
        "curve": [list(point) for point in replanned.curve],
        "away": sorted(away),
    }
    return _add_draft(session, prepared=prepared, roster=replanned.roster, body=body, now=now)


def add_hand_made(session: Session, *, prepared: Prepared, roster: Roster, now: datetime, policy: Policy) -> str:
    """Store as a draft a roster that a person made or changed; its id. It may break rules: each is said in the draft."""
    body = roster_body.hand_made_body(
        day=prepared.day,
        problem=prepared.problem,
        roster=roster,
        pins={**standing_pins(prepared.day), **prepared.wishes.pins},
        said=said_of(prepared, roster, policy=policy),
        zone=policy.zone,
    )
    return _add_draft(session, prepared=prepared, roster=roster, body=body, now=now)


def said_of(prepared: Prepared, roster: Roster, *, policy: Policy) -> Said:
    """What the independent verifier and the cramming rule say of a roster before it is published."""
    return Said(
        violations=violations(problem=prepared.problem, roster=roster),
        findings=(*prepared.travel_said, *findings_of(day=prepared.day, roster=roster, policy=policy)),
    )


def _add_draft(session: Session, *, prepared: Prepared, roster: Roster, body: Mapping[str, Any], now: datetime) -> str:
    day = prepared.day
    version = rosters.next_version(session, locality_id=day.locality_id, provider_id=day.provider_id, day=day.day)
    key = f"{day.locality_id}|{day.provider_id}|{day.day.isoformat()}|{version}"
    roster_id = "r" + hashlib.sha256(key.encode()).hexdigest()[:24]
    record = RosterRecord(
        roster_id=roster_id,
        locality_id=day.locality_id,
        provider_id=day.provider_id,
        day=day.day,
        state=RosterState.DRAFT,
        version=version,
        made_at=now,
        published_at=None,
        published_by=None,
        input_sha256=input_sha256(prepared.problem),
        unfilled=len(roster.unfilled),
        violations=len(body["violations"]),
        travel_seconds=sum(run.travel_seconds for run in roster.runs),
        body=body,
    )
    rosters.add(session, record=record)
    return roster_id
