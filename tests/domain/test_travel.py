"""Journeys by policy, and whether a fix is at a home (bad-input 29)."""

import math

import pytest
from geopy.distance import great_circle
from hypothesis import given
from hypothesis import strategies as st

from evm.domain.people import TravelMode
from evm.domain.place import Home, Position
from evm.domain.policy import Policy
from evm.domain.travel import great_circle_m, is_inside, journey_seconds
from tests.domain.stories import home

POLICY = Policy()
LATITUDES = st.floats(-89, 89)
LONGITUDES = st.floats(-179, 179)


@given(LATITUDES, LONGITUDES, LATITUDES, LONGITUDES)
def test_metres_are_those_of_geopys_great_circle(latitude, longitude, to_latitude, to_longitude):
    """Broken: our own formula would differ from the one everybody else uses."""
    ours = great_circle_m(
        from_latitude=latitude, from_longitude=longitude, to_latitude=to_latitude, to_longitude=to_longitude
    )
    assert ours == great_circle((latitude, longitude), (to_latitude, to_longitude)).m


def test_a_journey_is_rounded_up_and_follows_the_mode():
    """Broken: roster, caps and cramming would not share one formula."""
    a, b = home(), home(3000)
    metres = great_circle((a.latitude, a.longitude), (b.latitude, b.longitude)).m
    for mode, kmh in ((TravelMode.WALK, 4.8), (TravelMode.CYCLE, 13.0), (TravelMode.CAR, 22.0), (TravelMode.BUS, 11.0)):
        assert journey_seconds(a, b, mode, POLICY) == math.ceil(metres * 1.3 * 3.6 / kmh)
    assert journey_seconds(a, a, TravelMode.WALK, POLICY) == 0


@pytest.mark.parametrize(
    ("latitude", "longitude", "accuracy_m"),
    [
        (math.nan, -2.22, 10.0),
        (53.45, math.nan, 10.0),
        (math.inf, -2.22, 10.0),
        (91.0, -2.22, 10.0),
        (53.45, -181.0, 10.0),
        (53.45, -2.22, -1.0),
        (53.45, -2.22, 1e6),
        (53.45, -2.22, math.nan),
        (0.0, 0.0, 10.0),
    ],
)
def test_row_29_senseless_fixes_are_outside(latitude, longitude, accuracy_m):
    """Broken (bad-input 29): NaN or an absurd accuracy would prove a place."""
    fix = Position(latitude=latitude, longitude=longitude, accuracy_m=accuracy_m)
    assert not is_inside(fix, home=home(), accuracy_m_max=200.0)


@pytest.mark.parametrize(("north_m", "inside"), [(0, True), (140, True), (149.4, True), (151, False), (160, False)])
def test_the_radius_is_where_inside_ends(north_m, inside):
    """Broken: next door would be here, or the garden would be elsewhere."""
    here = home(north_m)
    fix = Position(latitude=here.latitude, longitude=here.longitude, accuracy_m=10.0)
    assert is_inside(fix, home=home(), accuracy_m_max=200.0) is inside


def test_the_ellipsoid_decides_where_the_sphere_is_wrong():
    """Broken: near the radius the sphere would say "inside" of a place that is outside."""
    equator = Home(latitude=0.0, longitude=0.0, radius_m=1000.0)
    fix = Position(latitude=0.0, longitude=1000.5 / 111_195, accuracy_m=10.0)
    assert great_circle_m(from_latitude=0, from_longitude=0, to_latitude=0, to_longitude=fix.longitude) > 1000
    assert not is_inside(fix, home=equator, accuracy_m_max=200.0)
    north = Position(latitude=1000.5 / 111_195, longitude=0.0, accuracy_m=10.0)
    assert is_inside(north, home=equator, accuracy_m_max=200.0)
