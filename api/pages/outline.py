"""Outlines of localities as SVG paths, from their own polygons: no map service is asked. Not a map to measure on."""

import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

WIDTH: Final = 600
MARGIN: Final = 8
HEIGHT_MAX: Final = 600

Position = tuple[float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """One locality: its path and where its number stands."""

    key: str
    number: int
    path: str
    label_x: int
    label_y: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Outline:
    """All localities of a council in one picture of `width` by `height`."""

    width: int
    height: int
    shapes: tuple[Shape, ...]


def outline(polygons: Mapping[str, Mapping[str, Any]], *, numbers: Mapping[str, int]) -> Outline | None:
    """The picture of these GeoJSON geometries, north up; None when there are none."""
    rings = {key: tuple(_rings(geometry)) for key, geometry in polygons.items()}
    every = [position for each in rings.values() for ring in each for position in ring]
    if not every:
        return None
    west, east = min(x for x, _ in every), max(x for x, _ in every)
    south, north = min(y for _, y in every), max(y for _, y in every)
    shrink = math.cos(math.radians((south + north) / 2))
    across, along = max((east - west) * shrink, 1e-9), max(north - south, 1e-9)
    scale = min((WIDTH - 2 * MARGIN) / across, (HEIGHT_MAX - 2 * MARGIN) / along)

    def placed(position: Position) -> tuple[int, int]:
        x, y = position
        return round((x - west) * shrink * scale) + MARGIN, round((north - y) * scale) + MARGIN

    shapes = tuple(
        _shape(key, numbers[key], [[placed(at) for at in ring] for ring in each]) for key, each in rings.items()
    )
    return Outline(width=WIDTH, height=round(along * scale) + 2 * MARGIN, shapes=shapes)


def _rings(geometry: Mapping[str, Any]) -> Iterator[list[Position]]:
    polygons = [geometry["coordinates"]] if geometry["type"] == "Polygon" else geometry["coordinates"]
    for polygon in polygons:
        for ring in polygon:
            yield [(float(at[0]), float(at[1])) for at in ring]


def _shape(key: str, number: int, rings: list[list[tuple[int, int]]]) -> Shape:
    largest = max(rings, key=len)
    xs, ys = [x for x, _ in largest], [y for _, y in largest]
    return Shape(
        key=key,
        number=number,
        path=" ".join(_path(ring) for ring in rings),
        label_x=(min(xs) + max(xs)) // 2,
        label_y=(min(ys) + max(ys)) // 2,
    )


def _path(ring: Iterable[tuple[int, int]]) -> str:
    """A closed path without the points that a picture of this size cannot show."""
    kept: list[tuple[int, int]] = []
    for at in ring:
        if not kept or kept[-1] != at:
            kept.append(at)
    return "M" + "L".join(f"{x} {y}" for x, y in kept) + "Z"
