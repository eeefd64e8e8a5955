"""Travel times over the roads of an OpenStreetMap extract on this machine: shortest ways by time, one-way streets kept. Not which ways
may be used (evm.gateways.road_ways), and neither traffic nor turning.

Needs the extra `roads` (osmium). Data © OpenStreetMap contributors, ODbL."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import connected_components, dijkstra
from scipy.spatial import cKDTree

from evm.domain.people import TravelMode
from evm.domain.travel import EARTH_RADIUS_M
from evm.gateways.road_times import MODES_BY_ROAD, RoadsRefused, RoadTimes, Seconds, Spot
from evm.gateways.road_ways import speeds_kmh

Floats = np.ndarray[Any, np.dtype[np.float64]]
Whole = np.ndarray[Any, np.dtype[np.int64]]
Flags = np.ndarray[Any, np.dtype[np.bool_]]

ATTRIBUTION: Final = "Travel times from data © OpenStreetMap contributors, ODbL (openstreetmap.org/copyright)"
SNAP_METRES_MAX: Final = 1_000.0
ACCESS_METRES_A_SECOND: Final = 1.3
WHOLE_FILE_BYTES_MAX: Final = 150_000_000
MARGIN_DEGREES: Final = 0.25
SOURCES_AT_ONCE: Final = 16
SAID_EVERY_WAYS: Final = 100_000
RULES: Final = "1"
"""Changed with whatever changes the answers, so that kept ones are not taken for new."""


@dataclass(slots=True)
class _Drawn:
    """Ways as they are read: positions of all their nodes one way after another, and how fast each mode goes along and against each."""

    refs: list[int] = field(default_factory=list)
    latitude: list[float] = field(default_factory=list)
    longitude: list[float] = field(default_factory=list)
    way: list[int] = field(default_factory=list)
    ways: int = 0
    speeds: dict[TravelMode, list[tuple[float, float]]] = field(
        default_factory=lambda: {mode: [] for mode in MODES_BY_ROAD}
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Lines:
    """The ways of one mode: `node` numbers the point of each position; a leg leads from each position to the next of its way."""

    node: Whole
    joined: Flags
    forward: Floats
    backward: Floats
    x: Floats
    y: Floats


class OsmRoads:
    """The roads of one extract (`.osm.pbf`, `.osm.xml`, `.osm.gz` …). `progress` is told sentences while it reads.

    Large files are read only around the places that are asked about: with many localities, cut the extract to their region first."""

    def __init__(
        self, *, path: Path, progress: Callable[[str], None], snap_metres_max: float = SNAP_METRES_MAX
    ) -> None:
        if not path.is_file():
            raise RoadsRefused(f"{path} is no file: give an OpenStreetMap extract, such as region.osm.pbf")
        self._path = path
        self._progress = progress
        self._snap_metres_max = snap_metres_max
        self._identity: str | None = None
        self._drawn: _Drawn | None = None
        self._box: tuple[float, float, float, float] | None = None

    @property
    def identity(self) -> str:
        """The file's content and the rules it is read by."""
        if self._identity is None:
            with self._path.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
            self._identity = f"osm|{digest}|{RULES}|{self._snap_metres_max}"
        return self._identity

    @property
    def attribution(self) -> str:
        return ATTRIBUTION

    def times(self, *, places: Sequence[Spot], mode: TravelMode) -> RoadTimes:
        """Times by the quickest way within the largest part of the network in which every point can be reached from every other.

        Raises RoadsRefused when the file cannot be read, or has no road near any of the places."""
        lines = _lines_of(self._around(places), mode=mode, latitude=float(np.mean([spot[0] for spot in places])))
        if lines is None:
            raise RoadsRefused(f"{self._path.name} holds no way for {mode.value}: give an extract of this region")
        usable = _well_connected(lines)
        x, y = _flat([spot[0] for spot in places], [spot[1] for spot in places], around=_mean_latitude(places))
        candidates = np.flatnonzero(usable)
        away, nearest = cKDTree(np.column_stack((lines.x, lines.y))[candidates]).query(np.column_stack((x, y)))
        near = np.asarray(away) <= self._snap_metres_max
        if not near.any():
            raise RoadsRefused(
                f"{self._path.name} has no road for {mode.value} near any of the places: give an extract of their region"
            )
        snapped = candidates[np.asarray(nearest)]
        self._progress(f"shortest ways by {mode.value} between {len(places)} places")
        seconds = _between(lines, snapped)
        access = np.asarray(away) / ACCESS_METRES_A_SECOND
        seconds = np.where(np.isfinite(seconds), seconds + access[:, None] + access[None, :], np.nan)
        seconds[~near, :] = np.nan
        seconds[:, ~near] = np.nan
        np.fill_diagonal(seconds, 0.0)
        return RoadTimes(seconds=seconds, off_road=tuple(int(place) for place in np.flatnonzero(~near)))

    def _around(self, places: Sequence[Spot]) -> _Drawn:
        latitudes, longitudes = [spot[0] for spot in places], [spot[1] for spot in places]
        box = (min(latitudes), min(longitudes), max(latitudes), max(longitudes))
        if self._drawn is None or (self._box is not None and not _within(box, self._box)):
            is_large = self._path.stat().st_size > WHOLE_FILE_BYTES_MAX
            self._box = _wider(box) if is_large else None
            self._drawn = _read(self._path, box=self._box, progress=self._progress)
        return self._drawn


def _within(box: tuple[float, ...], outer: tuple[float, ...]) -> bool:
    return box[0] >= outer[0] and box[1] >= outer[1] and box[2] <= outer[2] and box[3] <= outer[3]


def _wider(box: tuple[float, float, float, float]) -> tuple[float, float, float, float]:
    south, west, north, east = box
    return (
        south - MARGIN_DEGREES,
        west - 2 * MARGIN_DEGREES,
        north + MARGIN_DEGREES,
        east + 2 * MARGIN_DEGREES,
    )


def _read(path: Path, *, box: tuple[float, float, float, float] | None, progress: Callable[[str], None]) -> _Drawn:
    try:
        import osmium
    except ImportError as missing:
        raise RoadsRefused("roads need an extra: pip install 'popback[roads]'") from missing
    drawn = _Drawn()
    progress(f"reading the roads of {path.name}")
    try:
        ways = osmium.FileProcessor(str(path)).with_locations().with_filter(osmium.filter.KeyFilter("highway"))
        for read, way in enumerate(one for one in ways if isinstance(one, osmium.osm.Way)):
            _draw(drawn, way, box=box)
            if read % SAID_EVERY_WAYS == SAID_EVERY_WAYS - 1:
                progress(f"reading the roads of {path.name}: {read + 1:,} ways")
    except (RuntimeError, osmium.InvalidLocationError) as broken:
        raise RoadsRefused(
            f"{path} cannot be read as OpenStreetMap data ({broken}): fetch it again, and see that it is whole"
        ) from broken
    return drawn


def _draw(drawn: _Drawn, way: Any, *, box: tuple[float, float, float, float] | None) -> None:
    tags = dict(way.tags)
    speeds = {mode: speeds_kmh(tags, mode=mode) for mode in MODES_BY_ROAD}
    if not any(any(pair) for pair in speeds.values()):
        return
    spots = [(node.ref, node.lat, node.lon) for node in way.nodes if node.location.valid()]
    if len(spots) < 2 or (box is not None and not any(_within((lat, lon, lat, lon), box) for _, lat, lon in spots)):
        return
    for ref, latitude, longitude in spots:
        drawn.refs.append(ref)
        drawn.latitude.append(latitude)
        drawn.longitude.append(longitude)
        drawn.way.append(drawn.ways)
    for mode, pair in speeds.items():
        drawn.speeds[mode].append(pair)
    drawn.ways += 1


def _mean_latitude(places: Sequence[Spot]) -> float:
    return float(np.mean([spot[0] for spot in places]))


def _flat(
    latitude: Sequence[float] | Floats, longitude: Sequence[float] | Floats, *, around: float
) -> tuple[Floats, Floats]:
    """Metres east and north on a plane that fits within a region (equirectangular)."""
    x = np.radians(np.asarray(longitude, dtype=np.float64)) * np.cos(np.radians(around)) * EARTH_RADIUS_M
    return x, np.radians(np.asarray(latitude, dtype=np.float64)) * EARTH_RADIUS_M


def _lines_of(drawn: _Drawn, *, mode: TravelMode, latitude: float) -> _Lines | None:
    speeds = np.array(drawn.speeds[mode], dtype=np.float64).reshape(-1, 2)
    way = np.array(drawn.way, dtype=np.int64)
    if not len(way):
        return None
    mine = speeds[way].any(axis=1)
    if not mine.any():
        return None
    way = way[mine]
    _, first, node = np.unique(np.array(drawn.refs, dtype=np.int64)[mine], return_index=True, return_inverse=True)
    x, y = _flat(np.array(drawn.latitude)[mine], np.array(drawn.longitude)[mine], around=latitude)
    joined = way[:-1] == way[1:]
    metres = np.hypot(np.diff(x), np.diff(y))
    forward, backward = (_legs_seconds(metres, speeds[way[:-1], side]) for side in (0, 1))
    return _Lines(node=node, joined=joined, forward=forward, backward=backward, x=x[first], y=y[first])


def _legs_seconds(metres: Floats, kmh: Floats) -> Floats:
    """How long each leg takes; infinite where it may not be used."""
    shut = kmh == 0
    return np.where(shut, np.inf, metres * 3.6 / np.where(shut, 1.0, kmh))


def _graph(lines: _Lines, kept: Flags) -> Any:
    """Seconds between neighbouring kept points, as a sparse matrix: the points between them are only shape."""
    at = kept[lines.node]
    at[0] = at[-1] = True
    at[1:] |= ~lines.joined
    at[:-1] |= ~lines.joined
    stops = np.flatnonzero(at)
    begins, ends = stops[:-1], stops[1:]
    within = lines.joined[begins]
    begins, ends = begins[within], ends[within]
    size = len(lines.x)
    froms, tos, times = [], [], []
    for legs, one, other in ((lines.forward, begins, ends), (lines.backward, ends, begins)):
        sums = np.concatenate(([0.0], np.cumsum(np.where(lines.joined & np.isfinite(legs), legs, 0.0))))
        shut = np.concatenate(([0], np.cumsum(lines.joined & ~np.isfinite(legs))))
        passable = shut[ends] == shut[begins]
        froms.append(lines.node[one[passable]])
        tos.append(lines.node[other[passable]])
        times.append(np.maximum((sums[ends] - sums[begins])[passable], 1e-3))
    return _shortest_only(np.concatenate(froms), np.concatenate(tos), np.concatenate(times), size)


def _shortest_only(froms: Whole, tos: Whole, seconds: Floats, size: int) -> Any:
    """Of several ways between the same two points the quickest; scipy would add them up."""
    order = np.lexsort((seconds, tos, froms))
    froms, tos, seconds = froms[order], tos[order], seconds[order]
    first = np.ones(len(froms), dtype=bool)
    first[1:] = (froms[1:] != froms[:-1]) | (tos[1:] != tos[:-1])
    return csr_matrix((seconds[first], (froms[first], tos[first])), shape=(size, size))


def _crossings(lines: _Lines) -> Flags:
    """Points where ways begin, end, meet or cross."""
    size = len(lines.x)
    kept = np.bincount(lines.node, minlength=size) > 1
    ends = np.ones(len(lines.node), dtype=bool)
    ends[1:-1] = ~(lines.joined[:-1] & lines.joined[1:])
    kept[lines.node[ends]] = True
    return np.asarray(kept)


def _well_connected(lines: _Lines) -> Flags:
    """Points from which, and to which, the whole of the largest part of the network can be travelled."""
    kept = _crossings(lines)
    _, part = connected_components(_graph(lines, kept), directed=True, connection="strong")
    largest = int(np.argmax(np.bincount(part[kept])))
    inside = kept & (part == largest)
    before, after = _neighbours(lines, kept)
    between = inside[lines.node[before]] & inside[lines.node[after]]
    found = inside.copy()
    found[lines.node[between]] = True
    return np.asarray(found)


def _neighbours(lines: _Lines, kept: Flags) -> tuple[Whole, Whole]:
    """For each position, the kept positions of its way at or before it and at or after it."""
    positions = np.arange(len(lines.node))
    at = kept[lines.node]
    before = np.maximum.accumulate(np.where(at, positions, 0))
    after = np.minimum.accumulate(np.where(at, positions, len(positions) - 1)[::-1])[::-1]
    return before, after


def _between(lines: _Lines, snapped: Whole) -> Seconds:
    """Seconds from each snapped point to each; infinite where there is no way."""
    kept = _crossings(lines)
    kept[snapped] = True
    index = np.flatnonzero(kept)
    graph = _graph(lines, kept)[index][:, index]
    points, number = np.unique(np.searchsorted(index, snapped), return_inverse=True)
    found = np.empty((len(points), len(points)), dtype=np.float64)
    for begin in range(0, len(points), SOURCES_AT_ONCE):
        some = points[begin : begin + SOURCES_AT_ONCE]
        found[begin : begin + len(some)] = dijkstra(graph, directed=True, indices=some)[:, points]
    return found[np.ix_(number, number)]
