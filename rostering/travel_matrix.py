"""Travel times between places as the crow flies, stretched by a detour factor; it knows no roads and asks no server."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from geopy.distance import geodesic

from rostering.problem import ProblemError, Travel

EARTH_RADIUS_METRES = 6_371_008.8
CHECKED_PAIRS_MAX = 5
TOLERANCE = 0.006
"""Great circle and geodesic differ by less than this share of the distance (0.56 % at most on WGS 84)."""


@dataclass(frozen=True, slots=True)
class Place:
    """A point on the earth in degrees, WGS 84."""

    latitude: float
    longitude: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Mode:
    """How a worker travels: speed on the way, how much longer the way is than the line, and seconds lost each time."""

    speed_kmh: float
    detour: float = 1.3
    settle_seconds: int = 0


MODES: Mapping[str, Mode] = {
    "walk": Mode(speed_kmh=4.8, detour=1.25),
    "bicycle": Mode(speed_kmh=14.0, detour=1.3),
    "bus": Mode(speed_kmh=14.0, detour=1.4, settle_seconds=300),
    "car": Mode(speed_kmh=25.0, detour=1.3, settle_seconds=60),
}


def build(*, places: Sequence[Place], modes: Mapping[str, Mode] = MODES) -> Travel:
    """Whole seconds, rounded up, between every two places, by each mode; 0 within 1 metre.

    Distances are great-circle in bulk; a few pairs are checked against geopy's geodesic. Raises ProblemError for a
    place off the earth or a mode that does not move.
    """
    _check(places, modes)
    metres = great_circle_metres(places=places)
    _check_against_geodesic(places, metres)
    return Travel({name: _seconds(metres, mode) for name, mode in modes.items()})


def great_circle_metres(*, places: Sequence[Place]) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Distances in metres between every two places on a sphere (haversine)."""
    latitude = np.radians(np.array([place.latitude for place in places], dtype=np.float64))
    longitude = np.radians(np.array([place.longitude for place in places], dtype=np.float64))
    half_north = np.sin((latitude[:, None] - latitude[None, :]) / 2) ** 2
    half_east = np.sin((longitude[:, None] - longitude[None, :]) / 2) ** 2
    chord = half_north + np.cos(latitude)[:, None] * np.cos(latitude)[None, :] * half_east
    return np.asarray(2 * EARTH_RADIUS_METRES * np.arcsin(np.sqrt(np.clip(chord, 0.0, 1.0))))


def _seconds(metres: np.ndarray[Any, np.dtype[np.float64]], mode: Mode) -> np.ndarray[Any, np.dtype[np.int64]]:
    moving = np.ceil(np.round(metres * mode.detour / (mode.speed_kmh / 3.6), 6)).astype(np.int64)
    return np.where(metres < 1.0, 0, moving + mode.settle_seconds)


def _check(places: Sequence[Place], modes: Mapping[str, Mode]) -> None:
    for number, place in enumerate(places):
        good = math.isfinite(place.latitude) and math.isfinite(place.longitude)
        if not good or abs(place.latitude) > 90 or abs(place.longitude) > 180:
            raise ProblemError(where=f"places[{number}]", wrong=f"{place}", remedy="give degrees within 90 and 180")
    if not modes:
        raise ProblemError(where="modes", wrong="none", remedy="give at least one mode of travel")
    for name, mode in modes.items():
        if not (math.isfinite(mode.speed_kmh) and mode.speed_kmh > 0 and mode.detour >= 1 and mode.settle_seconds >= 0):
            raise ProblemError(
                where=f"modes[{name}]", wrong=f"{mode}", remedy="give a speed over 0 and a detour of 1 or more"
            )


def _check_against_geodesic(places: Sequence[Place], metres: np.ndarray[Any, np.dtype[np.float64]]) -> None:
    step = max(1, len(places) // CHECKED_PAIRS_MAX)
    for i in range(0, len(places) - 1, step):
        here, there = places[i], places[i + 1]
        true = geodesic((here.latitude, here.longitude), (there.latitude, there.longitude)).meters  # type: ignore[no-untyped-call]
        assert abs(true - metres[i, i + 1]) <= TOLERANCE * true + 1.0, "great circle and geodesic disagree"
