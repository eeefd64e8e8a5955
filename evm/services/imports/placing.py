"""Where the people of a file live: position and locality from their columns, else from the postcode. Not the localities themselves
(evm.services.localities)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy.orm import Session

from evm.domain.area import METRES_A_DEGREE, packed
from evm.domain.ids import LocalityId
from evm.domain.place import Home
from evm.services.imports.csv_file import Row, RowError
from evm.services.imports.kind import Context
from evm.services.imports.scope import Scope
from evm.services.localities import areas_of, places_of, postcodes_are_kept

FROM_CENTRE_METRES_MAX: Final = 500
"""A position further from its postcode's centre than this is asked about (bad-input 73)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """A home, with the locality it lies in; None where errors say why. Warnings stand among the errors."""

    home: Home | None
    locality: LocalityId | None
    errors: tuple[RowError, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is on record of a person's place; all None for somebody new. A care worker's postcode is not kept."""

    home: Home | None = None
    locality: LocalityId | None = None
    postcode: str | None = None


class Placing:
    """The places of a chunk of rows."""

    def __init__(self, session: Session, *, rows: Sequence[Row], context: Context, scope: Scope) -> None:
        self._scope = scope
        asked = {packed(row.values.get("postcode", "")) for row in rows} - {None}
        self._places = places_of(session, postcodes=[text for text in asked if text is not None])
        self._kept = postcodes_are_kept(session)
        self._areas = areas_of(session, council_id=context.council)

    def place(self, row: int, values: Mapping[str, Any], *, standing: Standing) -> Placed:
        """Where the row's person lives: columns that are filled, else what stands, else what follows from the postcode."""
        errors: list[RowError] = []
        centre = self._centre(row, values.get("postcode"), errors)
        home = _home(row, values, centre=centre, standing=standing, errors=errors)
        if home is not None and centre is not None:
            errors += _far(row, home, centre)
        locality = self._locality(row, values, home, locality=standing.locality, errors=errors)
        return Placed(home=home, locality=locality, errors=tuple(errors))

    def _centre(self, row: int, postcode: str | None, errors: list[RowError]) -> tuple[float, float] | None:
        known = self._places.get(packed(postcode or "") or "")
        if known is None:
            if self._kept and postcode is not None:
                errors.append(
                    RowError(row=row, field="postcode", words=f"there is no postcode {postcode}: is it mistyped?")
                )
            return None
        if known.latitude is None or known.longitude is None:
            return None
        return known.latitude, known.longitude

    def _locality(
        self,
        row: int,
        values: Mapping[str, Any],
        home: Home | None,
        *,
        locality: LocalityId | None,
        errors: list[RowError],
    ) -> LocalityId | None:
        if values.get("locality"):
            named, wrong = self._scope.locality(row, values["locality"])
            errors += wrong
            return named
        if home is None:
            return locality
        found = self._areas.of(postcode=values.get("postcode") or "", latitude=home.latitude, longitude=home.longitude)
        if found is None and locality is None:
            words = "lies in no locality: name one in the column, or give a locality this outward code or a polygon"
            errors.append(RowError(row=row, field="locality", words=words))
        return locality if locality is not None else found


def _home(
    row: int,
    values: Mapping[str, Any],
    *,
    centre: tuple[float, float] | None,
    standing: Standing,
    errors: list[RowError],
) -> Home | None:
    latitude, longitude = values.get("latitude"), values.get("longitude")
    if (latitude is None) != (longitude is None):
        errors.append(RowError(row=row, field="latitude", words="latitude and longitude stand together or not at all"))
        return None
    if latitude is None or longitude is None:
        stands = None if standing.home is None else (standing.home.latitude, standing.home.longitude)
        moved = values.get("postcode") is not None and values["postcode"] != standing.postcode
        found = (centre if moved or stands is None else None) or (None if moved and standing.postcode else stands)
        if found is None:
            words = "is missing: fill latitude and longitude, or load postcodes first (see `popback locality`)"
            errors.append(RowError(row=row, field="latitude", words=words))
            return None
        latitude, longitude = found
    radius_m = values.get("radius_m")
    if radius_m is None and standing.home is not None:
        radius_m = standing.home.radius_m
    return Home(latitude=latitude, longitude=longitude, **({} if radius_m is None else {"radius_m": radius_m}))


def _far(row: int, home: Home, centre: tuple[float, float]) -> tuple[RowError, ...]:
    north = (home.latitude - centre[0]) * METRES_A_DEGREE
    east = (home.longitude - centre[1]) * METRES_A_DEGREE * math.cos(math.radians(centre[0]))
    metres = math.hypot(north, east)
    if metres <= FROM_CENTRE_METRES_MAX:
        return ()
    words = f"the position lies {metres:,.0f} m from the centre of its postcode: check both"
    return (RowError(row=row, field="latitude", words=words, warning=True),)
