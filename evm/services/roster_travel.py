"""The policy's travel times between many homes at once, for the roster library. The formula is evm.domain.travel's, in bulk: a roster
may not count on a journey that is impossible by the rule its worker is judged by. Not roads."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from evm.domain.people import TravelMode
from evm.domain.place import Home
from evm.domain.policy import Policy
from evm.domain.travel import EARTH_RADIUS_M, kmh
from rostering.problem import Travel

Metres = np.ndarray[Any, np.dtype[np.float64]]


def travel_of(*, homes: Sequence[Home], policy: Policy) -> Travel:
    """Whole seconds, rounded up, from each home (row) to each home (column), by every mode of travel."""
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
