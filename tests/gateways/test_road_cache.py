"""Travel times kept on disk: asked once, whole or not at all, and no place among them."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from evm.domain.people import TravelMode
from evm.gateways.road_cache import CachedRoads
from evm.gateways.road_times import RoadsRefused, RoadTimes, Spot

PLACES = [(53.45, -2.21), (53.46, -2.22), (53.47, -2.23)]


class Asked:
    """A source that counts how often it is asked."""

    attribution = "somebody"

    def __init__(self, identity: str = "one") -> None:
        self.identity = identity
        self.times_asked = 0

    def times(self, *, places: Sequence[Spot], mode: TravelMode) -> RoadTimes:
        del mode
        self.times_asked += 1
        seconds = np.full((len(places), len(places)), 100.25)
        seconds[0, 1] = np.nan
        return RoadTimes(seconds=seconds, off_road=(2,))


def test_the_same_question_is_asked_once_and_answered_alike(tmp_path: Path) -> None:
    """A slow source would make every roster wait; an answer that differs in its second telling would be another question's."""
    source = Asked()
    first = CachedRoads(source=source, directory=tmp_path).times(places=PLACES, mode=TravelMode.CAR)
    again = CachedRoads(source=source, directory=tmp_path).times(places=PLACES, mode=TravelMode.CAR)
    assert source.times_asked == 1
    np.testing.assert_array_equal(first.seconds, again.seconds)
    assert first.seconds[1, 0] == 101
    assert first.off_road == again.off_road == (2,)


def test_another_place_mode_or_source_is_another_question(tmp_path: Path) -> None:
    """A worker on foot must not be given the times of a car, nor a moved customer those of the old home."""
    source = Asked()
    kept = CachedRoads(source=source, directory=tmp_path)
    kept.times(places=PLACES, mode=TravelMode.CAR)
    kept.times(places=PLACES, mode=TravelMode.WALK)
    kept.times(places=[*PLACES[:2], (53.47, -2.2300001)], mode=TravelMode.CAR)
    assert source.times_asked == 3
    CachedRoads(source=Asked("two"), directory=tmp_path).times(places=PLACES, mode=TravelMode.CAR)
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize("length", [0, 10, 200])
def test_a_damaged_file_is_asked_anew(tmp_path: Path, length: int) -> None:
    """A disk that lost half a file must not stop the roster, nor give half a matrix."""
    source = Asked()
    kept = CachedRoads(source=source, directory=tmp_path)
    kept.times(places=PLACES, mode=TravelMode.CAR)
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:length])
    assert kept.times(places=PLACES, mode=TravelMode.CAR).seconds[1, 0] == 101
    assert source.times_asked == 2


def test_a_crash_in_mid_write_leaves_no_half_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half a matrix under the whole one's name would be found by the next run."""

    def crash(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", crash)
    with pytest.raises(KeyboardInterrupt):
        CachedRoads(source=Asked(), directory=tmp_path).times(places=PLACES, mode=TravelMode.CAR)
    assert list(tmp_path.iterdir()) == []


def test_where_nothing_can_be_kept_it_is_said(tmp_path: Path) -> None:
    """A full or closed disk ends in a sentence that names the folder."""
    (tmp_path / "travel").write_text("a file in the way")
    with pytest.raises(RoadsRefused, match="travel times cannot be kept in"):
        CachedRoads(source=Asked(), directory=tmp_path / "travel").times(places=PLACES, mode=TravelMode.CAR)


def test_no_place_is_written(tmp_path: Path) -> None:
    """Where somebody lives must not lie about in a folder of numbers."""
    CachedRoads(source=Asked(), directory=tmp_path / "t").times(places=PLACES, mode=TravelMode.CAR)
    (file,) = (tmp_path / "t").iterdir()
    with np.load(file) as kept:
        assert sorted(kept.files) == ["off_road", "seconds"]
    assert file.stat().st_mode & 0o077 == 0
