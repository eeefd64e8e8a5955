"""Travel times over a small town's roads: the shortest legal way, and a sentence where there is none."""

from pathlib import Path

import numpy as np
import pytest

from evm.domain.people import TravelMode
from evm.gateways.road_times import RoadsRefused, RoadTimes, Spot
from evm.gateways.road_ways import limit_kmh, speeds_kmh
from evm.gateways.roads import ATTRIBUTION, OsmRoads

CAR, WALK, CYCLE = TravelMode.CAR, TravelMode.WALK, TravelMode.CYCLE
STEP = 0.009
"""Degrees of latitude in about one kilometre; the town lies on the equator, so of longitude, too."""


def spot(east: float, north: float) -> Spot:
    """A place so many kilometres east and north of the corner."""
    return (north * STEP, 10 + east * STEP)


TOWN = {1: (0, 0), 2: (1, 0), 3: (2, 0), 4: (2, 1), 5: (0, 1), 6: (1, 1), 7: (1.5, 0), 8: (9, 9), 9: (9, 8)}


def extract(folder: Path, *ways: tuple[list[int], dict[str, str]], name: str = "town.osm") -> Path:
    """An extract in OpenStreetMap's XML with the town's points and these ways."""
    nodes = [
        f'<node id="{ref}" version="1" lat="{spot(*at)[0]:.7f}" lon="{spot(*at)[1]:.7f}"/>' for ref, at in TOWN.items()
    ]
    lines = [
        f'<way id="{number}" version="1">'
        + "".join(f'<nd ref="{ref}"/>' for ref in refs)
        + "".join(f'<tag k="{key}" v="{value}"/>' for key, value in tags.items())
        + "</way>"
        for number, (refs, tags) in enumerate(ways, start=1)
    ]
    path = folder / name
    path.write_text(f'<osm version="0.6" generator="test">{"".join(nodes)}{"".join(lines)}</osm>')
    return path


def street(*refs: int, **tags: str) -> tuple[list[int], dict[str, str]]:
    return list(refs), {"highway": "residential"} | {key.replace("_", ":"): value for key, value in tags.items()}


def times(path: Path, *places: Spot, mode: TravelMode = CAR) -> RoadTimes:
    return OsmRoads(path=path, progress=lambda _: None).times(places=places, mode=mode)


RING = (street(1, 2, 7, 3), street(3, 4), street(4, 6, 5), street(5, 1))


def minutes(kilometres: float, kmh: float = 22.0) -> float:
    return pytest.approx(kilometres * 3600 / kmh, rel=0.01)


def test_the_way_is_along_the_streets_and_not_as_the_crow_flies(tmp_path: Path) -> None:
    """A river or a railway between two homes must not be flown over."""
    found = times(extract(tmp_path, *RING), spot(1, 0), spot(1, 1)).seconds
    assert found[0, 1] == minutes(3)
    assert found[1, 0] == minutes(3)
    assert found[0, 0] == 0


def test_a_one_way_street_is_driven_one_way_and_walked_both(tmp_path: Path) -> None:
    """A worker must not be rostered against the traffic; on foot it does not matter."""
    path = extract(tmp_path, street(1, 2, 7, 3, oneway="yes"), *RING[1:])
    driven = times(path, spot(1, 0), spot(1.5, 0)).seconds
    assert driven[0, 1] == minutes(0.5)
    assert driven[1, 0] == minutes(5.5)
    walked = times(path, spot(1, 0), spot(1.5, 0), mode=WALK).seconds
    assert walked[0, 1] == walked[1, 0] == minutes(0.5, 4.8)


def test_the_reverse_of_a_one_way_street_is_read(tmp_path: Path) -> None:
    """OpenStreetMap has streets drawn against their traffic (oneway=-1)."""
    path = extract(tmp_path, street(3, 7, 2, 1, oneway="-1"), *RING[1:])
    assert times(path, spot(1, 0), spot(1.5, 0)).seconds[1, 0] == minutes(5.5)


def test_a_path_is_walked_and_not_driven(tmp_path: Path) -> None:
    """A short cut through the park is for those on foot."""
    path = extract(tmp_path, *RING, street(2, 6, highway="footway"))
    assert times(path, spot(1, 0), spot(1, 1)).seconds[0, 1] == minutes(3)
    assert times(path, spot(1, 0), spot(1, 1), mode=WALK).seconds[0, 1] == minutes(1, 4.8)


def test_a_street_nobody_can_leave_is_not_where_a_journey_begins(tmp_path: Path) -> None:
    """Without the largest connected part a home beside a cut-off car park could reach nobody, and the roster would fail."""
    path = extract(tmp_path, *RING, street(8, 9))
    found = times(path, spot(1, 0), spot(9, 8.5))
    assert found.off_road == (1,)
    assert np.isnan(found.seconds[0, 1])
    assert np.isnan(found.seconds[1, 0])
    assert found.seconds[1, 1] == 0


def test_the_way_to_the_road_is_counted(tmp_path: Path) -> None:
    """A farm 500 m from the road is not on it."""
    found = times(extract(tmp_path, *RING), spot(1, 0), spot(2, -0.5)).seconds
    assert found[0, 1] == pytest.approx(1000 * 3.6 / 22 + 500 / 1.3, rel=0.01)


def test_of_two_streets_between_the_same_corners_the_quicker_counts(tmp_path: Path) -> None:
    """Adding both up, or taking the last, would make each journey longer than it is."""
    path = extract(tmp_path, *RING, street(1, 2, highway="primary"), street(2, 1, highway="service"))
    assert times(path, spot(0, 0), spot(1, 0)).seconds[0, 1] == minutes(1, 36)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"\x00\x01nonsense", "cannot be read as OpenStreetMap data"),
        (b'<osm version="0.6"><node id="1" lat="0"', "cannot be read as OpenStreetMap data"),
        (b'<osm version="0.6" generator="x"></osm>', "holds no way for car: give an extract of this region"),
    ],
)
def test_a_broken_or_empty_file_is_said_with_the_remedy(tmp_path: Path, content: bytes, sentence: str) -> None:
    """A download that broke off must not become a roster of guesses."""
    path = tmp_path / "town.osm"
    path.write_bytes(content)
    with pytest.raises(RoadsRefused, match=sentence):
        times(path, spot(0, 0), spot(1, 0))


def test_a_file_of_another_region_is_said(tmp_path: Path) -> None:
    """Every home too far from every road is one mistake, not hundreds."""
    with pytest.raises(
        RoadsRefused, match="has no road for car near any of the places: give an extract of their region"
    ):
        times(extract(tmp_path, *RING), (53.4, -2.2), (53.5, -2.3))


def test_a_file_that_is_not_there_is_said() -> None:
    """A mistyped name ends in a sentence."""
    with pytest.raises(RoadsRefused, match=r"nowhere\.osm\.pbf is no file"):
        OsmRoads(path=Path("nowhere.osm.pbf"), progress=print)


def test_without_the_extra_the_remedy_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The smallest install has no osmium: it says how to get it."""
    monkeypatch.setitem(__import__("sys").modules, "osmium", None)
    with pytest.raises(RoadsRefused, match=r"pip install 'popback\[roads\]'"):
        times(extract(tmp_path, *RING), spot(0, 0), spot(1, 0))


def test_the_same_file_under_another_name_is_the_same_source(tmp_path: Path) -> None:
    """Kept answers are found again after the file is moved, and not after it is replaced."""
    one, other = extract(tmp_path, *RING), extract(tmp_path, *RING, name="copy.osm")
    third = extract(tmp_path, *RING[:3], street(5, 1, oneway="yes"), name="new.osm")
    identities = [OsmRoads(path=path, progress=print).identity for path in (one, other, third)]
    assert identities[0] == identities[1] != identities[2]
    assert "OpenStreetMap contributors" in ATTRIBUTION


@pytest.mark.parametrize(
    ("tags", "mode", "speeds"),
    [
        ({"highway": "residential"}, CAR, (22.0, 22.0)),
        ({"highway": "residential", "maxspeed": "10 mph"}, CAR, (16.09, 16.09)),
        ({"highway": "residential", "maxspeed": "30 mph"}, CAR, (22.0, 22.0)),
        ({"highway": "motorway"}, CAR, (85.0, 0.0)),
        ({"highway": "motorway"}, WALK, (0.0, 0.0)),
        ({"highway": "primary", "junction": "roundabout"}, CAR, (36.0, 0.0)),
        ({"highway": "residential", "oneway": "yes", "oneway:bicycle": "no"}, CYCLE, (13.0, 13.0)),
        ({"highway": "residential", "access": "private"}, CAR, (0.0, 0.0)),
        ({"highway": "service", "access": "no", "motor_vehicle": "yes"}, CAR, (12.0, 12.0)),
        ({"highway": "residential", "motor_vehicle": "no"}, CYCLE, (13.0, 13.0)),
        ({"highway": "footway"}, CYCLE, (0.0, 0.0)),
        ({"highway": "footway", "bicycle": "yes"}, CYCLE, (8.0, 8.0)),
        ({"highway": "steps"}, WALK, (4.8, 4.8)),
        ({"highway": "construction"}, CAR, (0.0, 0.0)),
    ],
)
def test_ways_are_used_as_their_tags_allow(tags: dict[str, str], mode: TravelMode, speeds: tuple[float, float]) -> None:
    """A worker sent up a private drive, down steps on a bicycle or the wrong way along a motorway comes late, or not."""
    assert speeds_kmh(tags, mode=mode) == pytest.approx(speeds, abs=0.01)


@pytest.mark.parametrize(
    ("text", "kmh"), [("30 mph", 48.28), ("50", 50), ("none", None), ("", None), ("GB:nsl_single", None), ("0", None)]
)
def test_limits_are_read_where_they_are_numbers(text: str, kmh: float | None) -> None:
    """A limit of 0 would close the street, and one in words would be guessed at."""
    assert limit_kmh(text) == (None if kmh is None else pytest.approx(kmh, abs=0.01))
