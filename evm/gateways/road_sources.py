"""Which source of travel times an operator's words name, with its answers kept on disk. Not a source itself (roads, road_table)."""

from collections.abc import Callable
from pathlib import Path

from evm.gateways.road_cache import CachedRoads
from evm.gateways.road_table import OsrmTable, ValhallaTable
from evm.gateways.road_times import RoadSource, RoadsRefused
from evm.gateways.roads import OsmRoads

GREAT_CIRCLE = "great-circle"
FORMS = "great-circle, roads:FILE.osm.pbf, osrm:URL or valhalla:URL"


def source_of(words: str, *, cache: Path, progress: Callable[[str], None]) -> RoadSource | None:
    """The source these words name; None for the policy's own great-circle times. Raises RoadsRefused."""
    if words == GREAT_CIRCLE:
        return None
    kind, _, where = words.partition(":")
    sources: dict[str, Callable[[], RoadSource]] = {
        "roads": lambda: OsmRoads(path=Path(where), progress=progress),
        "osrm": lambda: OsrmTable(url=where),
        "valhalla": lambda: ValhallaTable(url=where),
    }
    if kind not in sources or not where:
        raise RoadsRefused(f"{words!r} is no source of travel times: say {FORMS}")
    return CachedRoads(source=sources[kind](), directory=cache)
