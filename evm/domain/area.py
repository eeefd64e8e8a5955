"""Areas a council commissions by: polygons and outward codes, and which locality a place belongs to. Not files (evm.gateways.geojson), not
rows, and not who is contracted for an area (evm.domain.contract).

Coordinates are degrees (WGS 84), in GeoJSON's order: longitude first. A place on a border that two localities share, or in a sliver where
two overlap, belongs to the first of them by id: never to none and never to two."""

import math
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any, Final

import shapely
import shapely.geometry
import shapely.validation
from shapely.geometry.base import BaseGeometry

from evm.domain.ids import LocalityId

_shapely: Any = shapely  # a library without types
Geometry = Mapping[str, Any]
"""A GeoJSON geometry: `{"type": "Polygon" | "MultiPolygon", "coordinates": …}`."""

LATITUDES: Final = (49.0, 61.0)
LONGITUDES: Final = (-9.0, 2.1)
"""The United Kingdom with its surrounding islands, Jersey to Shetland, Fermanagh to Lowestoft."""
POINTS_MAX: Final = 200_000
NUMBER_MAX: Final = 1e9
"""Larger than any metre of the National Grid: no coordinate at all, as what is no number is none."""
SLIVER_M2: Final = 1_000.0
"""Borders digitised apart never meet exactly: so much overlap is no dispute about who lives where."""
METRES_A_DEGREE: Final = 111_195.0
PACKED: Final = re.compile(r"[A-Z][A-Z0-9]{1,3}[0-9][A-Z]{2}")
OUTWARD: Final = re.compile(r"[A-Z]{1,2}[0-9][A-Z0-9]?")


class AreaRefused(ValueError):  # noqa: N818 -- named for what is wrong
    """A polygon or an outward code that cannot stand, with the sentence that says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Area:
    """What says who lives in a locality. `geometry` None: only its outward codes do."""

    locality_id: LocalityId
    name: str
    outward_codes: tuple[str, ...] = ()
    geometry: Geometry | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Overlap:
    """Two localities that both claim `square_metres` of ground."""

    first: LocalityId
    second: LocalityId
    square_metres: float


def packed(postcode: str) -> str | None:
    """A postcode without its blank and in capitals, "M145AA"; None when it has not a postcode's form."""
    text = "".join(postcode.split()).upper()
    return text if PACKED.fullmatch(text) else None


def spaced(postcode: str) -> str:
    """A packed postcode as people write it: "M14 5AA"."""
    return f"{postcode[:-3]} {postcode[-3:]}"


def outward_of(postcode: str) -> str | None:
    """The outward code of a postcode, or of an outward code itself: "M14"; None when it is neither."""
    text = "".join(postcode.split()).upper()
    if PACKED.fullmatch(text):
        return text[:-3]
    return text if OUTWARD.fullmatch(text) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Areas:
    """The localities of one council, ready to be asked."""

    areas: tuple[Area, ...]
    _shapes: tuple[tuple[LocalityId, BaseGeometry], ...] = field(init=False, repr=False, compare=False)
    _tree: Any = field(init=False, repr=False, compare=False)
    _outward: Mapping[str, LocalityId] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        ordered = sorted(self.areas, key=lambda area: area.locality_id)
        shapes = tuple((area.locality_id, _shape(area.geometry)) for area in ordered if area.geometry is not None)
        outward: dict[str, LocalityId] = {}
        for area in ordered:
            for code in area.outward_codes:
                outward.setdefault(code.upper(), area.locality_id)
        for _, polygon in shapes:
            _shapely.prepare(polygon)
        object.__setattr__(self, "_shapes", shapes)
        object.__setattr__(self, "_tree", _shapely.STRtree([polygon for _, polygon in shapes]))
        object.__setattr__(self, "_outward", outward)

    def at(self, *, latitude: float, longitude: float) -> LocalityId | None:
        """The locality whose polygon holds the place, its border included; the first by id of several; None outside them all."""
        found = self._tree.query(_shapely.Point(longitude, latitude), predicate="covered_by")
        return self._shapes[int(min(found))][0] if len(found) else None

    def of(self, *, postcode: str | None, latitude: float | None, longitude: float | None) -> LocalityId | None:
        """The locality of a place: by polygon if one holds it, else by outward code, else None."""
        if latitude is not None and longitude is not None:
            by_polygon = self.at(latitude=latitude, longitude=longitude)
            if by_polygon is not None:
                return by_polygon
        code = outward_of(postcode or "")
        return self._outward.get(code) if code else None


def check_geometry(geometry: Any) -> Geometry:
    """The geometry without heights, if it is a sound polygon in or around Britain. Raises AreaRefused: no polygon, unclosed, crossing
    itself, its coordinates swapped or in metres, or far away."""
    if not isinstance(geometry, Mapping) or geometry.get("type") not in (
        "Polygon",
        "MultiPolygon",
    ):  # a list has no hash
        kind = geometry.get("type") if isinstance(geometry, Mapping) else geometry
        raise AreaRefused(f"its geometry is {str(kind)[:40]!r}: a locality is a Polygon or a MultiPolygon")
    parts = geometry.get("coordinates")
    polygons: Any = [parts] if geometry["type"] == "Polygon" else parts
    if not isinstance(polygons, Sequence) or not polygons:
        raise AreaRefused("it has no coordinates")
    rings = [ring for polygon in polygons for ring in _rings(polygon)]
    if sum(len(ring) for ring in rings) > POINTS_MAX:
        raise AreaRefused(f"it has more than {POINTS_MAX:,} points: simplify it")
    for ring in rings:
        _check_ring(ring)
    flat = [[[list(position[:2]) for position in ring] for ring in polygon] for polygon in polygons]
    kept = {"type": geometry["type"], "coordinates": flat[0] if geometry["type"] == "Polygon" else flat}
    made = _shape(kept)
    if not made.is_valid:
        raise AreaRefused(f"it is not a sound polygon: {_where_wrong(made)}")
    return kept


def _shape(geometry: Geometry) -> BaseGeometry:
    made: BaseGeometry = _shapely.geometry.shape(geometry)
    return made


def _rings(polygon: Any) -> list[Any]:
    if not isinstance(polygon, Sequence) or isinstance(polygon, str) or not polygon:
        raise AreaRefused("a polygon of it has no rings: coordinates are nested [[[longitude, latitude], …]]")
    for ring in polygon:
        if not isinstance(ring, Sequence) or isinstance(ring, str):
            raise AreaRefused("a ring of it is no list of positions")
    return list(polygon)


def _check_ring(ring: Sequence[Any]) -> None:
    if len(ring) < 4:
        raise AreaRefused(f"a ring has {len(ring)} positions: the least is 4, the last being the first again")
    for position in ring:
        _check_position(position)
    if list(ring[0]) != list(ring[-1]):
        raise AreaRefused(
            f"a ring is not closed: it begins at {_said(ring[0])} and ends at {_said(ring[-1])}; repeat the first position at its end"
        )


def _check_position(position: Any) -> None:
    if (
        not isinstance(position, Sequence)
        or isinstance(position, str)
        or len(position) not in {2, 3}
        or not all(
            isinstance(number, int | float) and not isinstance(number, bool) and abs(number) <= NUMBER_MAX
            for number in position
        )
    ):
        raise AreaRefused(f"{str(position)[:60]!r} is no position: [longitude, latitude]")
    longitude, latitude = position[:2]
    if abs(latitude) > 180 or abs(longitude) > 180:
        raise AreaRefused(
            f"{_said(position)} is not in degrees (metres of the National Grid?): save the file in WGS 84 (EPSG:4326)"
        )
    if LATITUDES[0] <= latitude <= LATITUDES[1] and LONGITUDES[0] <= longitude <= LONGITUDES[1]:
        return
    if LATITUDES[0] <= longitude <= LATITUDES[1] and LONGITUDES[0] <= latitude <= LONGITUDES[1]:
        raise AreaRefused(f"{_said(position)} has latitude and longitude swapped: GeoJSON gives the longitude first")
    raise AreaRefused(f"{_said(position)} lies far outside the United Kingdom")


def _said(position: Sequence[Any]) -> str:
    return f"[{position[0]}, {position[1]}]"


def _where_wrong(made: BaseGeometry) -> str:
    reason, _, where = str(_shapely.validation.explain_validity(made)).partition("[")
    place = where.rstrip("]").replace(" ", ", ")
    words = {
        "Self-intersection": "its border crosses itself",
        "Ring Self-intersection": "its border touches itself",
        "Hole lies outside shell": "a hole lies outside it",
        "Holes are nested": "one hole lies within another",
        "Nested shells": "one of its parts lies within another",
        "Interior is disconnected": "its holes cut it in two",
        "Duplicate Rings": "a ring stands there twice",
        "Too few points in geometry component": "a ring encloses nothing",
    }.get(reason, reason.lower())
    return f"{words} at [{place}]" if place else words


def overlaps(areas: Collection[Area]) -> tuple[Overlap, ...]:
    """Every two localities whose polygons share more than a sliver, the greatest dispute first."""
    shapes = [(area.locality_id, _shape(area.geometry)) for area in areas if area.geometry is not None]
    shapes.sort(key=lambda pair: pair[0])
    tree = _shapely.STRtree([polygon for _, polygon in shapes])
    found = []
    for first, second in tree.query([polygon for _, polygon in shapes], predicate="intersects").T.tolist():
        if first < second:
            size = square_metres(shapes[first][1].intersection(shapes[second][1]))
            if size > SLIVER_M2:
                found.append(Overlap(first=shapes[first][0], second=shapes[second][0], square_metres=size))
    return tuple(sorted(found, key=lambda each: (-each.square_metres, each.first, each.second)))


def square_metres(made: BaseGeometry) -> float:
    """The size of a small area of degrees, good to a per cent in Britain."""
    if made.is_empty:
        return 0.0
    return float(made.area) * METRES_A_DEGREE**2 * math.cos(math.radians(made.centroid.y))


def twice_claimed(areas: Collection[Area]) -> tuple[tuple[str, LocalityId, LocalityId], ...]:
    """Outward codes that two of these localities claim, with both, by code."""
    found = []
    for first, second in combinations(sorted(areas, key=lambda area: area.locality_id), 2):
        both = {code.upper() for code in first.outward_codes} & {code.upper() for code in second.outward_codes}
        found += [(code, first.locality_id, second.locality_id) for code in both]
    return tuple(sorted(found))
