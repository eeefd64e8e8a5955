"""Journeys by road in a roster: never shorter than the rule that judges the worker, and never replaced without a word."""

from collections.abc import Sequence

import numpy as np
import pytest
from sqlalchemy.orm import Session

from evm.domain.people import TravelMode
from evm.domain.policy import Policy
from evm.gateways.road_times import RoadsRefused, RoadsUnreachable, RoadTimes, Spot
from evm.services import roster
from evm.services.roster_problem import Wishes
from evm.services.roster_travel import travel_by, travel_of
from evm.store import plans, rosters
from tests.planning import LOCALITY, MONDAY, PROVIDER, a_visit, a_worker, home, instant, settle

POLICY = Policy()
HOMES = [home(number) for number in (1, 2, 3)]
NAMES = ["c1", "c2", "w1"]
WHERE = {"locality_id": LOCALITY, "provider_id": PROVIDER}
QUICK = Wishes(iterations_max=20, effort_seconds=0)


class Roads:
    """Every journey takes `seconds`; or the source fails as told."""

    identity = "test"
    attribution = "by nobody"

    def __init__(
        self, seconds: float = 4_000.25, *, off_road: tuple[int, ...] = (), fails: Exception | None = None
    ) -> None:
        self.seconds = seconds
        self.off_road = off_road
        self.fails = fails
        self.asked: list[TravelMode] = []

    def times(self, *, places: Sequence[Spot], mode: TravelMode) -> RoadTimes:
        self.asked.append(mode)
        if self.fails is not None:
            raise self.fails
        found = np.full((len(places), len(places)), self.seconds)
        found[list(self.off_road), :] = np.nan
        found[:, list(self.off_road)] = np.nan
        return RoadTimes(seconds=found, off_road=self.off_road)


def test_a_longer_way_by_road_counts_and_a_shorter_does_not() -> None:
    """A roster with shorter journeys than the policy's would be judged as crammed; one with flown rivers cannot be worked."""
    own = travel_of(homes=HOMES, policy=POLICY)
    longer = travel_by(homes=HOMES, names=NAMES, policy=POLICY, roads=Roads(4_000.25)).travel
    shorter = travel_by(homes=HOMES, names=NAMES, policy=POLICY, roads=Roads(1.0)).travel
    assert longer.between("car", 0, 1) == 4_001
    assert longer.between("car", 1, 1) == 0
    assert shorter.between("car", 0, 1) == own.between("car", 0, 1) > 1


def test_a_bus_keeps_the_policy_s_time() -> None:
    """No road network knows a timetable."""
    roads = Roads()
    found = travel_by(homes=HOMES, names=NAMES, policy=POLICY, roads=roads).travel
    assert found.between("bus", 0, 1) == travel_of(homes=HOMES, policy=POLICY).between("bus", 0, 1)
    assert TravelMode.BUS not in roads.asked


def test_only_the_modes_in_which_somebody_travels_are_asked_for() -> None:
    """A hosted server is asked for three tables where one would do."""
    roads = Roads()
    travel_by(homes=HOMES, names=NAMES, policy=POLICY, roads=roads, modes=[TravelMode.CAR, TravelMode.BUS])
    assert roads.asked == [TravelMode.CAR]


def test_a_place_off_the_road_is_named_and_keeps_the_policy_s_times() -> None:
    """A wrong position must be seen and mended, and must not stop the locality's roster."""
    found = travel_by(homes=HOMES, names=NAMES, policy=POLICY, roads=Roads(off_road=(1,)), modes=[TravelMode.CAR])
    assert found.travel.between("car", 0, 1) == travel_of(homes=HOMES, policy=POLICY).between("car", 0, 1)
    assert found.travel.between("car", 0, 2) == 4_001
    assert found.said == (
        "c2: too far from any road for car; journeys there are the policy's, as the crow flies. Check the place.",
    )


def test_journeys_without_a_way_are_counted() -> None:
    """An island in the data would otherwise look like a short walk."""

    class Island(Roads):
        def times(self, *, places: Sequence[Spot], mode: TravelMode) -> RoadTimes:
            found = super().times(places=places, mode=mode)
            found.seconds[0, 2] = np.nan
            return found

    found = travel_by(homes=HOMES, names=NAMES, policy=POLICY, roads=Island(), modes=[TravelMode.CAR])
    assert found.said == ("1 journeys by car have no way by road; they are the policy's, as the crow flies.",)


def planned(session: Session) -> None:
    settle(session, workers=[a_worker(1, mode=TravelMode.CAR), a_worker(2, mode=TravelMode.WALK)])
    visits = [a_visit(f"v{n}", customer=f"c{n}", at=instant(8 + n)) for n in (1, 2, 3)]
    plans.add_planned_visits(session, visits=visits)


def test_a_silent_source_is_a_finding_of_the_draft(session: Session) -> None:
    """The office sees, on the roster itself, that its journeys are not by road although they were to be."""
    planned(session)
    roads = Roads(fails=RoadsUnreachable("the routing server at x does not answer (HTTP 502)"))
    prepared = roster.prepare(session, day=MONDAY, seed=1, policy=POLICY, wishes=QUICK, roads=roads, **WHERE)
    roster_id = roster.keep(
        session, prepared=prepared, result=roster.solve_prepared(prepared), now=instant(1), policy=POLICY
    )
    record = rosters.roster(session, roster_id=roster_id)
    assert record is not None
    assert record.body["findings"] == [
        "Travel times are the policy's, as the crow flies: the routing server at x does not answer (HTTP 502)."
    ]


def test_a_draft_is_kept_with_the_journeys_it_was_made_with(session: Session) -> None:
    """Keeping must not ask the source again, nor take its answer for a change of plans; a home that moved is one."""
    planned(session)
    roads = Roads()
    prepared = roster.prepare(session, day=MONDAY, seed=1, policy=POLICY, wishes=QUICK, roads=roads, **WHERE)
    asked = len(roads.asked)
    roster_id = roster.keep(
        session, prepared=prepared, result=roster.solve_prepared(prepared), now=instant(1), policy=POLICY
    )
    assert len(roads.asked) == asked == 2
    record = rosters.roster(session, roster_id=roster_id)
    assert record is not None
    assert record.travel_seconds >= 2 * 4_001


def test_a_source_set_up_wrong_stops_the_making(session: Session) -> None:
    """A mistyped file is the operator's to mend: falling back would hide it for ever."""
    planned(session)
    with pytest.raises(RoadsRefused):
        roster.prepare(
            session, day=MONDAY, seed=1, policy=POLICY, wishes=QUICK, roads=Roads(fails=RoadsRefused("no")), **WHERE
        )
