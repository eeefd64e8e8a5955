"""What every source of travel times by road answers, and how it refuses. Not a source itself (roads, road_table) and not the
policy's own journeys (evm.domain.travel)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from evm.domain.people import TravelMode

Seconds = np.ndarray[Any, np.dtype[np.float64]]
Spot = tuple[float, float]
"""Latitude and longitude in degrees, WGS 84."""

MODES_BY_ROAD = (TravelMode.WALK, TravelMode.CYCLE, TravelMode.CAR)
"""A bus has a timetable, which no road network knows."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoadTimes:
    """Seconds from each place (row) to each place (column), NaN where the source knows no way, and sentences a person must see.

    `off_road` are positions of places that lie too far from any road."""

    seconds: Seconds
    off_road: tuple[int, ...] = ()


class RoadSource(Protocol):
    """A source of travel times. `identity` tells sources with different answers apart; `attribution` must be shown with them."""

    @property
    def identity(self) -> str: ...

    @property
    def attribution(self) -> str: ...

    def times(self, *, places: Sequence[Spot], mode: TravelMode) -> RoadTimes:
        """Times between all places by a mode of MODES_BY_ROAD. Raises RoadsRefused or RoadsUnreachable."""
        ...


class RoadsRefused(ValueError):  # noqa: N818 -- named for what is wrong
    """The source cannot be used as it is set up: the sentence says what is wrong and what to do."""


class RoadsUnreachable(RuntimeError):  # noqa: N818 -- named for what is wrong
    """The source does not answer now; another time it may."""
