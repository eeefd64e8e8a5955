"""Where a simulated city lies: outward codes with their coordinates, and how far apart two places are. Not roads, and not `evm`'s travel:
the simulation's own calculator, so that truth shares no code with what it judges."""

import csv
import math
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Final

EARTH_RADIUS_M: Final = 6_371_009.0
DETOUR_FACTOR: Final = 1.3
KMH: Final = {"walk": 4.8, "cycle": 13.0, "car": 22.0, "bus": 11.0}


@dataclass(frozen=True, slots=True)
class Point:
    """Degrees, WGS 84."""

    latitude: float
    longitude: float


@dataclass(frozen=True, slots=True)
class OutwardCode:
    code: str
    centre: Point
    locality: str


@cache
def outward_codes(name: str) -> tuple[OutwardCode, ...]:
    """The outward codes of `simulations/geography/<name>.csv`, in the file's order."""
    text = resources.files("simulations").joinpath("geography", f"{name}.csv").read_text(encoding="utf-8")
    return tuple(
        OutwardCode(
            code=row["outward_code"],
            centre=Point(float(row["latitude"]), float(row["longitude"])),
            locality=row["locality"],
        )
        for row in csv.DictReader(text.splitlines())
    )


def moved(point: Point, *, east_m: float, north_m: float) -> Point:
    """`point` moved by so many metres, rounded to seven decimals (about a centimetre)."""
    latitude = point.latitude + math.degrees(north_m / EARTH_RADIUS_M)
    longitude = point.longitude + math.degrees(east_m / EARTH_RADIUS_M / math.cos(math.radians(point.latitude)))
    return Point(round(latitude, 7), round(longitude, 7))


def great_circle_m(a: Point, b: Point) -> float:
    """Metres along the great circle of a sphere of `EARTH_RADIUS_M`."""
    lat_a, lat_b = math.radians(a.latitude), math.radians(b.latitude)
    d_lat, d_lon = lat_b - lat_a, math.radians(b.longitude - a.longitude)
    h = math.sin(d_lat / 2) ** 2 + math.cos(lat_a) * math.cos(lat_b) * math.sin(d_lon / 2) ** 2
    return 2 * EARTH_RADIUS_M * math.asin(min(1.0, math.sqrt(h)))


@cache
def journey_seconds(a: Point, b: Point, mode: str) -> int:
    """Seconds by the policy's formula: great circle x detour ÷ speed, rounded up."""
    return math.ceil(great_circle_m(a, b) * DETOUR_FACTOR * 3.6 / KMH[mode])
