"""Travel times between many homes at once, for the roster library: the policy's own, or by road where a source is given. The policy's
formula is evm.domain.travel's, in bulk. Not the sources (evm.gateways.roads, road_table).

A journey by road is never taken to be shorter than the policy's: a roster may not count on a journey that is impossible by the rule its
worker is judged by (caps of stays, cramming)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from evm.domain.people import TravelMode
from evm.domain.place import Home
from evm.domain.policy import Policy
from evm.domain.travel import EARTH_RADIUS_M, kmh
from evm.gateways.road_times import MODES_BY_ROAD, RoadSource, RoadsUnreachable, Seconds
from rostering.problem import Travel

Metres = np.ndarray[Any, np.dtype[np.float64]]
NAMED_MAX: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class TravelFound:
    """Travel times, and sentences for the people who use the roster: which of them are not by road, and why."""

    travel: Travel
    said: tuple[str, ...] = ()


def travel_by(
    *,
    homes: Sequence[Home],
    names: Sequence[str],
    policy: Policy,
    roads: RoadSource | None = None,
    modes: Sequence[TravelMode] = tuple(TravelMode),
) -> TravelFound:
    """Whole seconds, rounded up, from each home (row) to each home (column): by road where `roads` knows a way, never under the policy's.

    `names` are the ids of the places, for the sentences. A source that does not answer is said, and the policy's times stand; one that is
    set up wrong raises RoadsRefused."""
    own = travel_of(homes=homes, policy=policy)
    if roads is None or len(homes) < 2:
        return TravelFound(travel=own)
    found = dict(own.seconds_by_mode)
    said: list[str] = []
    places = [(home.latitude, home.longitude) for home in homes]
    for mode in (mode for mode in modes if mode in MODES_BY_ROAD):
        try:
            times = roads.times(places=places, mode=mode)
        except RoadsUnreachable as silent:
            return TravelFound(travel=own, said=(*said, f"Travel times are the policy's, as the crow flies: {silent}."))
        found[mode.value] = _longer(found[mode.value], times.seconds)
        said += _gaps_said(times.seconds, times.off_road, names=names, mode=mode)
    return TravelFound(travel=Travel(found), said=tuple(said))


def travel_of(*, homes: Sequence[Home], policy: Policy) -> Travel:
    """The policy's whole seconds, rounded up, from each home (row) to each home (column), by every mode of travel."""
    metres = great_circle_matrix_m(homes=homes)
    return Travel(
        {
            mode.value: np.ceil(metres * policy.detour_factor * 3.6 / kmh(mode, policy=policy)).astype(np.int64)
            for mode in TravelMode
        }
    )


def great_circle_matrix_m(*, homes: Sequence[Home]) -> Metres:
    """Metres over a sphere between every two homes, by the formula of evm.domain.travel.great_circle_m."""
    latitude = np.radians(np.array([home.latitude for home in homes], dtype=np.float64))
    longitude = np.radians(np.array([home.longitude for home in homes], dtype=np.float64))
    sin_1, cos_1 = np.sin(latitude)[:, None], np.cos(latitude)[:, None]
    sin_2, cos_2 = sin_1.T, cos_1.T
    delta = longitude[None, :] - longitude[:, None]
    across = np.hypot(cos_2 * np.sin(delta), cos_1 * sin_2 - sin_1 * cos_2 * np.cos(delta))
    metres = EARTH_RADIUS_M * np.arctan2(across, sin_1 * sin_2 + cos_1 * cos_2 * np.cos(delta))
    same = (latitude[:, None] == latitude[None, :]) & (delta == 0)
    return np.asarray(np.where(same, 0.0, metres))


def _longer(own: np.ndarray[Any, np.dtype[np.int64]], by_road: Seconds) -> np.ndarray[Any, np.dtype[np.int64]]:
    """The longer of the two, pair by pair; the policy's where there is no way, or none at all between one place and itself."""
    known = np.where(np.isfinite(by_road), np.ceil(np.nan_to_num(by_road)), 0).astype(np.int64)
    return np.where(own == 0, 0, np.maximum(own, known))


def _gaps_said(seconds: Seconds, off_road: Sequence[int], *, names: Sequence[str], mode: TravelMode) -> list[str]:
    said = []
    if off_road:
        shown = ", ".join(names[place] for place in off_road[:NAMED_MAX])
        more = f" and {len(off_road) - NAMED_MAX} more" if len(off_road) > NAMED_MAX else ""
        said.append(
            f"{shown}{more}: too far from any road for {mode.value}; journeys there are the policy's, as the crow flies. Check the place."
        )
    missing = ~np.isfinite(seconds)
    missing[list(off_road), :] = False
    missing[:, list(off_road)] = False
    if count := int(missing.sum()):
        said.append(f"{count} journeys by {mode.value} have no way by road; they are the policy's, as the crow flies.")
    return said
