"""Travel times by road kept on disk, so that the same question is not asked twice. Not the asking, and no place is ever written: only times
under a digest of what was asked.

A file is written beside and renamed: a crash leaves the whole of it or nothing. Files may be removed at any time."""

import hashlib
import io
import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from evm.domain.people import TravelMode
from evm.gateways.road_times import RoadSource, RoadsRefused, RoadTimes, Spot


class CachedRoads:
    """A source whose answers are kept in `directory`, readable by this user alone."""

    def __init__(self, *, source: RoadSource, directory: Path) -> None:
        self._source = source
        self._directory = directory

    @property
    def identity(self) -> str:
        return self._source.identity

    @property
    def attribution(self) -> str:
        return self._source.attribution

    def times(self, *, places: Sequence[Spot], mode: TravelMode) -> RoadTimes:
        """The kept answer, or the source's in whole seconds, which is then kept. A damaged file is as good as none."""
        path = self._path(places, mode)
        kept = _read(path, places=len(places))
        if kept is not None:
            return kept
        found = self._source.times(places=places, mode=mode)
        whole = RoadTimes(seconds=np.ceil(found.seconds), off_road=found.off_road)
        try:
            _write(path, whole)
        except OSError as error:
            raise RoadsRefused(
                f"travel times cannot be kept in {self._directory} ({error.strerror}): make room there, or name another --data"
            ) from error
        return whole

    def _path(self, places: Sequence[Spot], mode: TravelMode) -> Path:
        asked = json.dumps([self._source.identity, mode.value, [[repr(degree) for degree in spot] for spot in places]])
        return self._directory / f"{hashlib.sha256(asked.encode()).hexdigest()}.npz"


def _read(path: Path, *, places: int) -> RoadTimes | None:
    try:
        with np.load(io.BytesIO(path.read_bytes()), allow_pickle=False) as kept:
            seconds, off_road = kept["seconds"].astype(np.float64), kept["off_road"]
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None
    if seconds.shape != (places, places):
        return None
    return RoadTimes(seconds=seconds, off_road=tuple(int(place) for place in off_road))


def _write(path: Path, found: RoadTimes) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    packed = io.BytesIO()
    np.savez_compressed(
        packed, seconds=found.seconds.astype(np.float32), off_road=np.array(found.off_road, dtype=np.int64)
    )
    handle, beside = tempfile.mkstemp(dir=path.parent, prefix=".half-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(packed.getvalue())
            file.flush()
            os.fsync(file.fileno())
        Path(beside).replace(path)
    except BaseException:
        Path(beside).unlink(missing_ok=True)
        raise
