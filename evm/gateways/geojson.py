"""Reads polygons of localities from a GeoJSON file. Not whether they are sound or overlap (evm.domain.area) and not where they are kept."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import orjson

from evm.domain.area import AreaRefused, Geometry, check_geometry
from evm.domain.ids import is_id

BYTES_MAX: Final = 50 * 2**20
FEATURES_MAX: Final = 1_000
LOCALITY_KEYS: Final = ("locality", "locality_id", "id")
WGS84_NAMES: Final = ("crs84", "4326")


class GeojsonRefused(ValueError):  # noqa: N818 -- named for what is wrong
    """A file that cannot be used, or every feature of it that cannot: one sentence each, naming the feature."""

    def __init__(self, *, sentences: tuple[str, ...]) -> None:
        super().__init__("; ".join(sentences))
        self.sentences = sentences


@dataclass(frozen=True, slots=True, kw_only=True)
class Polygons:
    """Polygons by locality id, and the names of those that gave one."""

    by_locality: Mapping[str, Geometry]
    names: Mapping[str, str]


def read_polygons(*, path: Path) -> Polygons:
    """The polygons of a FeatureCollection, one feature a locality: `id` or the property `locality` is the locality's id, the property
    `name` its name. Raises GeojsonRefused with every fault found."""
    features = _features(path)
    by_locality: dict[str, Geometry] = {}
    names: dict[str, str] = {}
    faults: list[str] = []
    for number, feature in enumerate(features, 1):
        try:
            locality_id, name = _identity(feature)
            if locality_id in by_locality:
                raise AreaRefused(f"locality {locality_id} stands there twice: join its parts to a MultiPolygon")
            by_locality[locality_id] = check_geometry(feature.get("geometry"))
            if name is not None:
                names[locality_id] = name
        except AreaRefused as error:
            faults.append(f"feature {number}{_called(feature)}: {error}")
    if faults:
        raise GeojsonRefused(sentences=tuple(faults))
    return Polygons(by_locality=by_locality, names=names)


def _features(path: Path) -> list[Any]:
    try:
        if path.stat().st_size > BYTES_MAX:
            raise GeojsonRefused(sentences=(f"{path.name} is larger than {BYTES_MAX // 2**20} MB: simplify it",))
        found = orjson.loads(path.read_bytes())
    except OSError as error:
        raise GeojsonRefused(sentences=(f"{path} cannot be read ({error.strerror})",)) from None
    except orjson.JSONDecodeError as error:
        raise GeojsonRefused(sentences=(f"{path.name} is not JSON: {error}",)) from None
    if not isinstance(found, dict) or found.get("type") not in {"FeatureCollection", "Feature"}:
        raise GeojsonRefused(sentences=(f"{path.name} is no GeoJSON FeatureCollection",))
    _check_crs(path, found.get("crs"))
    features = [found] if found["type"] == "Feature" else found.get("features")
    if not isinstance(features, list) or not features:
        raise GeojsonRefused(sentences=(f"{path.name} has no features: one a locality is wanted",))
    if len(features) > FEATURES_MAX:
        raise GeojsonRefused(sentences=(f"{path.name} has more than {FEATURES_MAX:,} features",))
    return features


def _check_crs(path: Path, crs: Any) -> None:
    if crs is not None and not any(name in str(crs).lower() for name in WGS84_NAMES):
        words = f"{path.name} is in another coordinate system ({str(crs)[:80]}): save it in WGS 84 (EPSG:4326)"
        raise GeojsonRefused(sentences=(words,))


def _identity(feature: Any) -> tuple[str, str | None]:
    if not isinstance(feature, dict) or feature.get("type") != "Feature":
        raise AreaRefused("it is no GeoJSON Feature")
    properties = feature.get("properties")
    held = {**(properties if isinstance(properties, dict) else {})}
    held.setdefault("id", feature.get("id"))
    locality_id = next((held[key] for key in LOCALITY_KEYS if held.get(key) is not None), None)
    if not isinstance(locality_id, str) or not is_id(locality_id):
        raise AreaRefused(
            "it does not say whose it is: its id or its property `locality` must be the locality's id "
            f"(1 to 32 lower-case letters, digits and hyphens), not {str(locality_id)[:40]!r}"
        )
    name = held.get("name")
    return locality_id, name if isinstance(name, str) else None


def _called(feature: Any) -> str:
    held = feature if isinstance(feature, dict) else {}
    properties = held.get("properties")
    named = properties if isinstance(properties, dict) else {}
    name = held.get("id") or named.get("locality") or named.get("name")
    return f" ({str(name)[:40]})" if name else ""
