"""How long a journey between two homes takes by policy, and how far apart two places are. Not roads and not timetables.

One formula everywhere (roster, caps of stays, cramming): seconds = ceil(3.6 * detour factor * great circle metres / km/h)."""

from math import atan2, ceil, cos, radians, sin, sqrt
from typing import Final

from geopy.distance import geodesic

from evm.domain.people import TravelMode
from evm.domain.place import Home, Position
from evm.domain.policy import Policy

EARTH_RADIUS_KM: Final = 6371.009
EARTH_RADIUS_M: Final = 6_371_009.0
"""As geopy.distance.great_circle has it (the IUGG mean radius)."""
_GREAT_CIRCLE_ERROR_SHARE_MAX: Final = 0.01
"""A sphere's distance is within 0.6 % of the ellipsoid's; one per cent is safely beyond it."""


def great_circle_m(*, from_latitude: float, from_longitude: float, to_latitude: float, to_longitude: float) -> float:
    """Metres over a sphere, by the formula geopy.distance.great_circle uses (without its parsing of points)."""
    latitude_1, latitude_2 = radians(from_latitude), radians(to_latitude)
    sin_1, cos_1, sin_2, cos_2 = sin(latitude_1), cos(latitude_1), sin(latitude_2), cos(latitude_2)
    delta = radians(to_longitude) - radians(from_longitude)
    sin_delta, cos_delta = sin(delta), cos(delta)
    across = sqrt((cos_2 * sin_delta) ** 2 + (cos_1 * sin_2 - sin_1 * cos_2 * cos_delta) ** 2)
    return EARTH_RADIUS_KM * atan2(across, sin_1 * sin_2 + cos_1 * cos_2 * cos_delta) * 1000.0


def kmh(mode: TravelMode, *, policy: Policy) -> float:
    """The speed the policy grants a mode of travel, in kilometres an hour."""
    speeds = {
        TravelMode.WALK: policy.walk_kmh,
        TravelMode.CYCLE: policy.cycle_kmh,
        TravelMode.CAR: policy.car_kmh,
        TravelMode.BUS: policy.bus_kmh,
    }
    return speeds[mode]


def journey_seconds(from_home: Home, to_home: Home, /, mode: TravelMode, policy: Policy) -> int:
    """Whole seconds, rounded up, that the policy allows for the journey from one home to another."""
    if from_home.latitude == to_home.latitude and from_home.longitude == to_home.longitude:
        return 0
    metres = great_circle_m(
        from_latitude=from_home.latitude,
        from_longitude=from_home.longitude,
        to_latitude=to_home.latitude,
        to_longitude=to_home.longitude,
    )
    return ceil(metres * policy.detour_factor * 3.6 / kmh(mode, policy=policy))


def is_inside(position: Position, *, home: Home, accuracy_m_max: float) -> bool:
    """Whether a fix lies within the home's radius. Written so that NaN, an impossible coordinate and a senseless accuracy are all
    outside (protocol.md, grade of place); the ellipsoid decides where the sphere could be wrong."""
    possible = -90.0 <= position.latitude <= 90.0 and -180.0 <= position.longitude <= 180.0
    if not (possible and 0.0 <= position.accuracy_m <= accuracy_m_max):
        return False
    metres = great_circle_m(
        from_latitude=position.latitude,
        from_longitude=position.longitude,
        to_latitude=home.latitude,
        to_longitude=home.longitude,
    )
    if metres <= home.radius_m * (1 - _GREAT_CIRCLE_ERROR_SHARE_MAX):
        return True
    if not metres <= home.radius_m * (1 + _GREAT_CIRCLE_ERROR_SHARE_MAX):
        return False
    here, there = (position.latitude, position.longitude), (home.latitude, home.longitude)
    exact_m: float = geodesic(here, there).meters  # type: ignore[no-untyped-call]
    return exact_m <= home.radius_m
