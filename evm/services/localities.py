"""Which locality a place belongs to, whom its council has commissioned there, and customers placed anew. Not the geometry
(evm.domain.area) and not the reading of postcode files (evm.services.postcodes)."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Final

import orjson
from sqlalchemy.orm import Session

from evm.domain.area import Area, Areas, Geometry, outward_of, overlaps, packed, spaced, twice_claimed
from evm.domain.contract import Contract
from evm.domain.ids import CouncilId, CustomerId, LocalityId, ProviderId, is_id
from evm.domain.people import Locality
from evm.store import areas as store
from evm.store import people, postcodes

MICRO: Final = 1_000_000
NAME_CHARACTERS_MAX: Final = 80


class LocalityRefused(ValueError):  # noqa: N818 -- named for what is wrong
    """A change to localities or contracts that cannot stand: the field at fault and the sentence that says why and what to do."""

    def __init__(self, *, field: str, words: str) -> None:
        super().__init__(f"{field}: {words}")
        self.field = field
        self.words = words


@dataclass(frozen=True, slots=True, kw_only=True)
class PostcodePlace:
    """A known postcode ("M14 5AA"). Degrees (WGS 84); None where the national file has no position (Isle of Man, Channel Islands, a few
    new ones). `terminated_month` 202403: no longer in use."""

    postcode: str
    latitude: float | None
    longitude: float | None
    terminated_month: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Move:
    """A customer who belongs to another locality than the one they stand in. `to` None: to none of their council's. `held`: why they stay
    nevertheless; None: they move."""

    customer_id: CustomerId
    was: LocalityId
    to: LocalityId | None
    held: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Placing:
    """What placing a council's customers did, or would do. `on_published_rosters`: planned visits that stay where they are rostered."""

    looked_at: int
    moves: tuple[Move, ...]
    visits_moved: int
    on_published_rosters: int


def places_of(session: Session, *, postcodes: Collection[str]) -> dict[str, PostcodePlace]:
    """What is known of these postcodes, each under the spelling it was asked by; unknown ones are absent."""
    by_packed = {text: packed(text) for text in postcodes}
    known = _known(session, {each for each in by_packed.values() if each is not None})
    return {text: known[each] for text, each in by_packed.items() if each in known}


def _known(session: Session, wanted: Collection[str]) -> dict[str, PostcodePlace]:
    return {
        row.postcode: PostcodePlace(
            postcode=spaced(row.postcode),
            latitude=None if row.latitude_e6 is None else row.latitude_e6 / MICRO,
            longitude=None if row.longitude_e6 is None else row.longitude_e6 / MICRO,
            terminated_month=row.terminated_month,
        )
        for row in postcodes.among(session, packed=wanted).values()
    }


def postcodes_are_kept(session: Session) -> bool:
    """Whether postcodes have been loaded at all: only then is an unknown one a mistake."""
    return postcodes.any_known(session)


def locality_of(
    session: Session,
    *,
    council_id: CouncilId | None,
    postcode: str,
    latitude: float | None,
    longitude: float | None,
) -> LocalityId | None:
    """The locality (of this council, or of any) of a place: its polygon, else its outward code, else None. Without a position, the
    postcode's own is taken where it is known."""
    if latitude is None or longitude is None:
        place = places_of(session, postcodes=[postcode]).get(postcode)
        latitude, longitude = (None, None) if place is None else (place.latitude, place.longitude)
    return areas_of(session, council_id=council_id).of(postcode=postcode, latitude=latitude, longitude=longitude)


def areas_of(session: Session, *, council_id: CouncilId | None) -> Areas:
    """The localities of a council (or all) ready to be asked; kept until one of them changes."""
    marks = store.polygon_marks(session, council_id=council_id)
    kept = _KEPT.get(council_id)
    if kept is None or kept[0] != marks:
        kept = (marks, Areas(areas=store.areas(session, council_id=council_id)))
        _KEPT[council_id] = kept
    return kept[1]


_KEPT: Final[dict[CouncilId | None, tuple[object, Areas]]] = {}
"""By council: what the areas were made of, and the areas. A wrong entry cannot stand: every use compares the marks."""


def contracts_on(session: Session, *, locality_id: LocalityId, on: date) -> tuple[Contract, ...]:
    """The contracts in force in a locality on a day."""
    return store.contracts(session, locality_id=locality_id, on=on)


def may_serve(session: Session, *, provider_id: ProviderId, locality_id: LocalityId, on: date) -> bool:
    """Whether the provider is commissioned there that day. Always, where the locality's council keeps no contracts at all."""
    return not_commissioned(session, provider_id=provider_id, locality_id=locality_id, on=on) is None


def not_commissioned(session: Session, *, provider_id: ProviderId, locality_id: LocalityId, on: date) -> str | None:
    """Why the provider may not serve the locality that day, in a sentence; None when it may."""
    if not store.keeps_contracts(session, locality_id=locality_id):
        return None
    standing = contracts_on(session, locality_id=locality_id, on=on)
    if any(contract.provider_id == provider_id for contract in standing):
        return None
    others = " and ".join(sorted({contract.provider_id for contract in standing}))
    does = f"{others} {'do' if ' and ' in others else 'does'}" if others else "nobody does"
    return f"{provider_id} holds no contract for locality {locality_id} on {on}; {does}"


def set_locality(
    session: Session,
    *,
    locality_id: str,
    council_id: str,
    name: str | None = None,
    outward_codes: Sequence[str] | None = None,
    among_others: bool = False,
) -> str:
    """Make a locality, or change the name or outward codes of one: "new", "changed" or "same". With `among_others` (of one file) the caller
    asks `refuse_twice_claimed` when all are set. Raises LocalityRefused naming the field."""
    _check_council(session, council_id)
    store.lock_council(session, council_id=CouncilId(council_id))
    before = store.locality(session, locality_id=LocalityId(locality_id))
    wanted = _wanted(before, locality_id=locality_id, council_id=council_id, name=name, outward_codes=outward_codes)
    if not among_others:
        _check_outward(session, wanted)
    if before is None:
        people.add_localities(session, localities=[wanted])
        return "new"
    if wanted == before:
        return "same"
    store.set_locality(session, place=wanted)
    return "changed"


def _wanted(
    before: Locality | None,
    *,
    locality_id: str,
    council_id: str,
    name: str | None,
    outward_codes: Sequence[str] | None,
) -> Locality:
    if not is_id(locality_id):
        raise LocalityRefused(field="locality", words="an id has 1 to 32 lower-case letters, digits and hyphens")
    if before is not None and before.council_id != council_id:
        words = f"{locality_id} is a locality of {before.council_id}: a locality does not change its council"
        raise LocalityRefused(field="council", words=words)
    kept = name.strip() if name is not None else before.name if before else ""
    if not kept or len(kept) > NAME_CHARACTERS_MAX:
        raise LocalityRefused(field="name", words=f"give it a name of at most {NAME_CHARACTERS_MAX} characters")
    codes = before.outward_codes if outward_codes is None and before else _codes(outward_codes or ())
    return Locality(
        locality_id=LocalityId(locality_id), council_id=CouncilId(council_id), name=kept, outward_codes=codes
    )


def _codes(texts: Sequence[str]) -> tuple[str, ...]:
    found: list[str] = []
    for text in texts:
        code = outward_of(text)
        if code is None or len(code) > 4 or len(code) != len("".join(text.split())):
            raise LocalityRefused(field="outward_codes", words=f"{text[:20]!r} is not an outward code, such as M14")
        if code not in found:
            found.append(code)
    return tuple(found)


def _check_council(session: Session, council_id: str) -> None:
    known = sorted(one.council_id for one in people.councils(session))
    if council_id not in known:
        words = f"there is no council {council_id!r} in this database; it knows {', '.join(known) or 'none'}"
        raise LocalityRefused(field="council", words=words)


def _check_outward(session: Session, wanted: Locality) -> None:
    others = [
        each for each in store.areas(session, council_id=wanted.council_id) if each.locality_id != wanted.locality_id
    ]
    own = Area(locality_id=wanted.locality_id, name=wanted.name, outward_codes=wanted.outward_codes)
    for code, first, second in twice_claimed([*others, own]):
        if wanted.locality_id in {first, second}:
            other = second if first == wanted.locality_id else first
            words = f"{code} belongs to locality {other} already: take it from there first, or divide it by polygons"
            raise LocalityRefused(field="outward_codes", words=words)


def refuse_twice_claimed(session: Session, *, council_id: CouncilId) -> None:
    """Raise LocalityRefused when an outward code belongs to two localities of the council."""
    for code, first, second in twice_claimed(store.areas(session, council_id=council_id)):
        words = f"{code} belongs to both {first} and {second}: leave it to one, or divide it by polygons"
        raise LocalityRefused(field="outward_codes", words=words)


def set_polygons(
    session: Session,
    *,
    council_id: str,
    polygons: Mapping[str, Geometry],
    names: Mapping[str, str],
    now: datetime,
) -> dict[str, str]:
    """Give localities of a council their polygons: each one's outcome, "new", "changed" or "same". A locality that is not there yet is made
    if it has a name. Raises LocalityRefused naming the locality, two that overlap both."""
    _check_council(session, council_id)
    council = CouncilId(council_id)
    store.lock_council(session, council_id=council)
    for locality_id in polygons:
        _make_sure(session, locality_id=locality_id, council_id=council_id, name=names.get(locality_id))
    standing = {area.locality_id: area for area in store.areas(session, council_id=council)}
    wanted = {name: replace(area, geometry=polygons.get(name, area.geometry)) for name, area in standing.items()}
    for dispute in overlaps(wanted.values()):
        words = (
            f"{dispute.first} and {dispute.second} overlap by {dispute.square_metres:,.0f} m²: "
            "a place belongs to one locality of a council; draw the border once"
        )
        raise LocalityRefused(field="geometry", words=words)
    return {
        locality_id: _set_polygon(session, before=standing[LocalityId(locality_id)], geometry=geometry, now=now)
        for locality_id, geometry in polygons.items()
    }


def _make_sure(session: Session, *, locality_id: str, council_id: str, name: str | None) -> None:
    there = store.locality(session, locality_id=LocalityId(locality_id))
    if there is None and name is None:
        words = (
            f"there is no locality {locality_id!r}: make it first (popback locality set), or give the feature a name"
        )
        raise LocalityRefused(field="locality", words=words)
    if there is None or there.council_id != council_id:
        set_locality(session, locality_id=locality_id, council_id=council_id, name=name)


def _set_polygon(session: Session, *, before: Area, geometry: Geometry, now: datetime) -> str:
    text = orjson.dumps(geometry, option=orjson.OPT_SORT_KEYS)
    if before.geometry is not None and orjson.dumps(before.geometry, option=orjson.OPT_SORT_KEYS) == text:
        return "same"
    digest = hashlib.sha256(text).hexdigest()
    store.set_polygon(session, locality_id=before.locality_id, geometry=geometry, sha256=digest, now=now)
    return "new" if before.geometry is None else "changed"


def place_customers(
    session: Session,
    *,
    council_id: str,
    now: datetime,
    today: date,
    customer_ids: Collection[CustomerId] | None = None,
    dry_run: bool = False,
) -> Placing:
    """Give a council's customers (all, or these) the locality they live in, from now on: their planned visits from `now` follow, those on
    published rosters stay and are counted. Who lives in none of its localities, or whose provider is not commissioned in the new one, is
    named and stays. Raises LocalityRefused."""
    _check_council(session, council_id)
    council = CouncilId(council_id)
    store.lock_council(session, council_id=council)
    found = store.placed_customers(session, council_id=council, customer_ids=customer_ids)
    moves = _moves(session, council=council, found=found, today=today)
    moving = [move for move in moves if move.held is None]
    visits = [_follow(session, to=to, moves=moving, now=now, dry_run=dry_run) for to in _goals(moving)]
    return Placing(
        looked_at=len(found),
        moves=moves,
        visits_moved=sum(each.moved for each in visits),
        on_published_rosters=sum(each.on_published_rosters for each in visits),
    )


def _moves(session: Session, *, council: CouncilId, found: Sequence[store.Placed], today: date) -> tuple[Move, ...]:
    areas = areas_of(session, council_id=council)
    refusals: dict[tuple[ProviderId, LocalityId], str | None] = {}
    moves = []
    for one in found:
        to = areas.of(postcode=one.postcode, latitude=one.latitude, longitude=one.longitude)
        if to == one.locality_id:
            continue
        if to is None:
            held: str | None = f"lives in none of {council}'s localities"
        elif (one.provider_id, to) in refusals:
            held = refusals[one.provider_id, to]
        else:
            held = not_commissioned(session, provider_id=one.provider_id, locality_id=to, on=today)
            refusals[one.provider_id, to] = held
        moves.append(Move(customer_id=one.customer_id, was=one.locality_id, to=to, held=held))
    return tuple(moves)


def _goals(moves: Sequence[Move]) -> list[LocalityId]:
    return sorted({move.to for move in moves if move.to is not None})


def _follow(session: Session, *, to: LocalityId, moves: Sequence[Move], now: datetime, dry_run: bool) -> store.Followed:
    theirs = [move.customer_id for move in moves if move.to == to]
    if not dry_run:
        store.move_customers(session, customer_ids=theirs, to=to)
    return store.move_planned_visits(session, customer_ids=theirs, to=to, from_now=now, dry_run=dry_run)
