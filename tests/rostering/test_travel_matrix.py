"""Travel as the crow flies: against geopy, rounded up, by mode."""

from __future__ import annotations

import math

import pytest
from geopy.distance import geodesic
from hypothesis import given
from hypothesis import strategies as st

from rostering.problem import ProblemError
from rostering.travel_matrix import TOLERANCE, Mode, Place, build, great_circle_metres

LATITUDES = st.floats(49.9, 60.9)
LONGITUDES = st.floats(-8.2, 1.8)


@given(places=st.lists(st.builds(Place, LATITUDES, LONGITUDES), min_size=2, max_size=6))
def test_great_circle_agrees_with_the_geodesic(places):
    """Distances wrong by more than the earth is flat."""
    metres = great_circle_metres(places=places)
    for i, a in enumerate(places):
        for j, b in enumerate(places):
            true = geodesic((a.latitude, a.longitude), (b.latitude, b.longitude)).meters
            assert abs(metres[i, j] - true) <= TOLERANCE * true + 1


def test_seconds_are_whole_and_rounded_up_with_detour_speed_and_settling():
    """A journey a second too short."""
    here, there = Place(53.0, -2.0), Place(53.01, -2.0)
    metres = float(great_circle_metres(places=[here, there])[0, 1])
    travel = build(places=[here, there], modes={"bus": Mode(speed_kmh=18, detour=1.5, settle_seconds=100)})
    assert travel.between("bus", 0, 1) == math.ceil(metres * 1.5 / 5) + 100
    assert travel.between("bus", 0, 0) == 0


def test_the_same_door_takes_no_time_even_by_bus():
    """Couples charged a journey between them."""
    travel = build(places=[Place(53.0, -2.0), Place(53.0, -2.0)])
    assert all(travel.between(mode, 0, 1) == 0 for mode in travel.seconds_by_mode)


def test_slower_modes_take_longer():
    """A walker who drives."""
    travel = build(places=[Place(53.0, -2.0), Place(53.02, -2.02)])
    assert travel.between("walk", 0, 1) > travel.between("bicycle", 0, 1) > travel.between("car", 0, 1)


@pytest.mark.parametrize("place", [Place(91, 0), Place(0, 181), Place(float("nan"), 0), Place(0, float("inf"))])
def test_a_place_off_the_earth_is_refused(place):
    """Travel times out of nonsense coordinates."""
    with pytest.raises(ProblemError, match=r"places\[1\]"):
        build(places=[Place(53, -2), place])


@pytest.mark.parametrize("mode", [Mode(speed_kmh=0), Mode(speed_kmh=10, detour=0.5), Mode(speed_kmh=float("nan"))])
def test_a_mode_that_cannot_be_is_refused(mode):
    """Endless or too short journeys."""
    with pytest.raises(ProblemError, match="modes"):
        build(places=[Place(53, -2)], modes={"odd": mode})
    with pytest.raises(ProblemError, match="modes"):
        build(places=[], modes={})


def test_no_places_give_an_empty_matrix():
    """A crash before the first customer."""
    assert build(places=[]).places == 0
