"""Which ways of OpenStreetMap may be walked, cycled and driven, how fast and in which direction. Not the reading of a file and not the
shortest ways (evm.gateways.roads).

Tags: wiki.openstreetmap.org, Key:highway, Key:access, Key:oneway, Key:maxspeed. Speeds are what a care worker keeps up between calls, with
junctions and traffic, not limits; a posted limit below them counts."""

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from evm.domain.people import TravelMode

Tags = Mapping[str, str]
WALK_KMH: Final = 4.8
KMH_A_MPH: Final = 1.609344

CAR_KMH: Final = MappingProxyType(
    {
        "motorway": 85.0,
        "motorway_link": 45.0,
        "trunk": 55.0,
        "trunk_link": 40.0,
        "primary": 36.0,
        "primary_link": 30.0,
        "secondary": 32.0,
        "secondary_link": 28.0,
        "tertiary": 29.0,
        "tertiary_link": 25.0,
        "unclassified": 25.0,
        "residential": 22.0,
        "living_street": 10.0,
        "road": 20.0,
        "service": 12.0,
    }
)
ROADS: Final = frozenset(CAR_KMH) - {"motorway", "motorway_link"}
CYCLE_KMH: Final = MappingProxyType(
    dict.fromkeys(ROADS - {"trunk", "trunk_link"}, 13.0)
    | {"cycleway": 14.0, "track": 10.0, "path": 10.0, "bridleway": 9.0}
)
WALK_CLASSES: Final = ROADS | {"footway", "path", "pedestrian", "steps", "track", "cycleway", "bridleway", "corridor"}
CLOSED: Final = frozenset({"no", "private", "agricultural", "forestry", "delivery", "customers", "use_sidepath"})
BARRED_CAR: Final = ("access", "vehicle", "motor_vehicle", "motorcar")
BARRED_CYCLE: Final = ("access", "vehicle", "bicycle")
BARRED_WALK: Final = ("access", "foot")
FORWARD: Final = frozenset({"yes", "true", "1"})
BACKWARD: Final = frozenset({"-1", "reverse"})


def speeds_kmh(tags: Tags, *, mode: TravelMode) -> tuple[float, float]:
    """Kilometres an hour along the way as it is drawn and against it; 0 where the mode may not go."""
    if mode is TravelMode.WALK:
        speed = WALK_KMH if _walkable(tags) else 0.0
        return speed, speed
    if mode is TravelMode.CYCLE:
        speed = _cycle_kmh(tags)
        forward, backward = _directions(tags, exempt=_cycles_both_ways(tags))
    else:
        speed = _car_kmh(tags)
        forward, backward = _directions(tags, exempt=False)
    return speed * forward, speed * backward


def _walkable(tags: Tags) -> bool:
    return (tags.get("highway") in WALK_CLASSES and _is_open(tags, BARRED_WALK)) or tags.get("foot") in FORWARD


def _cycle_kmh(tags: Tags) -> float:
    if not _is_open(tags, BARRED_CYCLE) or tags.get("bicycle") == "dismount":
        return 0.0
    kind = tags.get("highway", "")
    if kind in {"footway", "pedestrian"}:
        return 8.0 if tags.get("bicycle") in {"yes", "designated", "permissive"} else 0.0
    return CYCLE_KMH.get(kind, 0.0)


def _car_kmh(tags: Tags) -> float:
    if not _is_open(tags, BARRED_CAR):
        return 0.0
    speed = CAR_KMH.get(tags.get("highway", ""), 0.0)
    return min(speed, limit_kmh(tags.get("maxspeed", "")) or speed)


def limit_kmh(text: str) -> float | None:
    """A posted limit ("30 mph", "50", "walk") in kilometres an hour, or None where it is not said in numbers."""
    found = re.fullmatch(r"(\d{1,3}(?:\.\d+)?)\s*(mph|km/h|kmh|kph)?", text.strip())
    if found is None or float(found[1]) == 0:
        return None
    return float(found[1]) * (KMH_A_MPH if found[2] == "mph" else 1.0)


def _is_open(tags: Tags, keys: tuple[str, ...]) -> bool:
    """Whether the most exact of these keys that is tagged lets one in."""
    said = [tags[key] for key in keys if key in tags]
    return not said or said[-1] not in CLOSED


def _cycles_both_ways(tags: Tags) -> bool:
    return tags.get("oneway:bicycle") == "no" or tags.get("cycleway", "").startswith("opposite")


def _directions(tags: Tags, *, exempt: bool) -> tuple[bool, bool]:
    oneway = tags.get("oneway", "")
    if exempt:
        return True, True
    if oneway in BACKWARD:
        return False, True
    is_round = tags.get("junction") in {"roundabout", "circular"}
    implied = oneway != "no" and (is_round or tags.get("highway") in {"motorway", "motorway_link"})
    return True, not (oneway in FORWARD or implied)
