"""Localities: whose a place is, polygons taken in whole or not at all, customers placed anew."""

from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session

from evm.domain.ids import CouncilId, LocalityId, ProviderId
from evm.domain.people import Council, Locality, Provider
from evm.services import localities
from evm.services.contracts import add_contract
from evm.services.localities import LocalityRefused
from evm.store import people, plans, postcodes
from evm.store.postcodes import PostcodeRow
from evm.store.rosters import RosterRecord, RosterState
from evm.store.rosters import add as add_roster
from tests import factories
from tests.domain.test_area import square
from tests.factories import COUNCIL, LOCALITY, NINE, PROVIDER

TODAY = NINE.date()
HOME = square(-2.3, 53.4)
AWAY = square(-2.2, 53.4)
"""The home of every customer of the factories, 53.45 north and 2.22 west, lies in HOME."""


def polygons(session: Session, drawn: dict[str, dict[str, Any]], **names: str) -> dict[str, str]:
    return localities.set_polygons(session, council_id=COUNCIL, polygons=drawn, names=names, now=NINE)


def place(session: Session, *, dry_run: bool = False) -> localities.Placing:
    return localities.place_customers(session, council_id=COUNCIL, now=NINE, today=TODAY, dry_run=dry_run)


def test_a_place_belongs_to_a_polygon_else_to_an_outward_code_else_to_none(session: Session) -> None:
    """Broken: a customer's locality, and with it their provider's right to come, would not follow from where they live."""
    factories.seed(session)
    polygons(session, {"park": AWAY}, park="The Park")
    where = {"council_id": COUNCIL, "latitude": 53.45, "longitude": -2.15}
    assert localities.locality_of(session, postcode="M14 5AA", **where) == "park"
    where["longitude"] = -2.5
    assert localities.locality_of(session, postcode="M14 5AA", **where) == LOCALITY
    assert localities.locality_of(session, postcode="M99 5AA", **where) is None


def test_a_postcode_gives_its_position_to_a_place_without_one(session: Session) -> None:
    """Broken: a customer who came without coordinates would never be found in a polygon."""
    factories.seed(session)
    polygons(session, {"park": AWAY}, park="The Park")
    row = PostcodeRow(postcode="SK11AA", latitude_e6=53_450_000, longitude_e6=-2_150_000, terminated_month=None)
    postcodes.add(session, rows=[row])
    asked = {"council_id": COUNCIL, "latitude": None, "longitude": None}
    assert localities.locality_of(session, postcode="sk1 1aa", **asked) == "park"
    assert localities.places_of(session, postcodes=["sk1 1aa", "SK1 1AB"]).keys() == {"sk1 1aa"}


def test_what_is_kept_of_areas_follows_every_change(session: Session) -> None:
    """Broken: after a border is moved, customers would still be placed by the old one."""
    factories.seed(session)
    asked = {"council_id": COUNCIL, "postcode": "M1 1AA", "latitude": 53.45, "longitude": -2.15}
    assert localities.locality_of(session, **asked) is None
    polygons(session, {"park": AWAY}, park="The Park")
    assert localities.locality_of(session, **asked) == "park"
    polygons(session, {"park": square(-2.6, 53.4)})
    assert localities.locality_of(session, **asked) is None


def test_polygons_say_what_became_of_each_and_twice_is_the_same(session: Session) -> None:
    """Broken: a dry run would promise something else than what is then done."""
    factories.seed(session)
    assert polygons(session, {LOCALITY: HOME, "park": AWAY}, park="The Park") == {LOCALITY: "new", "park": "new"}
    assert polygons(session, {LOCALITY: HOME}) == {LOCALITY: "same"}
    assert polygons(session, {LOCALITY: square(-2.31, 53.4)}) == {LOCALITY: "changed"}


def test_a_polygon_over_a_standing_one_is_refused_with_both_names(session: Session) -> None:
    """Broken: two localities, with two providers, would claim one street."""
    factories.seed(session)
    polygons(session, {LOCALITY: HOME})
    with pytest.raises(LocalityRefused, match=r"m14 and park overlap by 36,\d+,\d+ m²"):
        polygons(session, {"park": square(-2.25, 53.4)}, park="The Park")


def test_polygons_of_two_councils_may_lie_upon_each_other(session: Session) -> None:
    """Broken: a county and its district could not both commission."""
    factories.seed(session)
    people.add_councils(session, councils=[Council(council_id=CouncilId("county"), name="County")])
    polygons(session, {LOCALITY: HOME})
    made = localities.set_polygons(
        session, council_id="county", polygons={"north": HOME}, names={"north": "North"}, now=NINE
    )
    assert made == {"north": "new"}


@pytest.mark.parametrize(
    "given, field, words",
    [
        ({"locality_id": "m 14"}, "locality", "32 lower-case"),
        ({"council_id": "leeds"}, "council", "knows county, manchester"),
        ({"council_id": "county", "locality_id": "m14"}, "council", "does not change its council"),
        ({"name": "  "}, "name", "80 characters"),
        ({"outward_codes": ["M14 5AA"]}, "outward_codes", "not an outward code"),
        ({"outward_codes": ["14"]}, "outward_codes", "not an outward code"),
        ({"outward_codes": ["m14"]}, "outward_codes", "M14 belongs to locality m14 already"),
    ],
)
def test_a_locality_that_cannot_stand_is_refused_by_its_field(
    session: Session, given: dict[str, Any], field: str, words: str
) -> None:
    """Broken: a mistyped code would move a district's customers, or two localities would share one."""
    factories.seed(session)
    people.add_councils(session, councils=[Council(council_id=CouncilId("county"), name="County")])
    wanted: dict[str, Any] = {"locality_id": "park", "council_id": COUNCIL, "name": "The Park", "outward_codes": ()}
    with pytest.raises(LocalityRefused, match=words) as refused:
        localities.set_locality(session, **(wanted | given))
    assert refused.value.field == field


def test_a_locality_is_made_changed_and_left(session: Session) -> None:
    """Broken: setting a name would take the outward codes away."""
    factories.seed(session)
    assert (
        localities.set_locality(session, locality_id="park", council_id=COUNCIL, name="Park", outward_codes=["m1"])
        == "new"
    )
    assert localities.set_locality(session, locality_id="park", council_id=COUNCIL, name="The Park") == "changed"
    assert localities.set_locality(session, locality_id="park", council_id=COUNCIL) == "same"
    (park,) = [each for each in people.localities(session) if each.locality_id == "park"]
    assert (park.name, park.outward_codes) == ("The Park", ("M1",))


def _roster(day: date) -> RosterRecord:
    return RosterRecord(
        roster_id="r1",
        locality_id=LOCALITY,
        provider_id=PROVIDER,
        day=day,
        state=RosterState.PUBLISHED,
        version=1,
        made_at=NINE,
        published_at=NINE,
        published_by="Somebody",
        input_sha256="0" * 64,
        unfilled=0,
        violations=0,
        travel_seconds=0,
        body={"runs": [], "unfilled": []},
    )


def test_customers_move_from_now_on_and_published_rosters_are_left(session: Session) -> None:
    """Broken: a visit would vanish from the roster its worker was told of, or history would be told as of another place."""
    factories.seed(session)
    tomorrow, later = NINE + timedelta(days=1), NINE + timedelta(days=9)
    starts = {"past": NINE - timedelta(days=1), "rostered": tomorrow, "free": later}
    plans.add_planned_visits(
        session, visits=[factories.planned_visit(name, start=start) for name, start in starts.items()]
    )
    add_roster(session, record=_roster(tomorrow.date()))
    polygons(session, {"park": HOME}, park="The Park")
    planned = place(session, dry_run=True)
    assert people.customers(session)[0].locality_id == LOCALITY
    done = place(session)
    assert done == planned
    assert (done.looked_at, done.visits_moved, done.on_published_rosters) == (1, 1, 1)
    assert [(move.was, move.to, move.held) for move in done.moves] == [(LOCALITY, "park", None)]
    assert people.customers(session)[0].locality_id == "park"
    places = {name: plans.planned_visit(session, visit_id=name).locality_id for name in starts}
    assert places == {"past": LOCALITY, "rostered": LOCALITY, "free": "park"}
    assert place(session).moves == ()


def test_nobody_moves_to_nowhere_or_to_where_their_provider_is_not_commissioned(session: Session) -> None:
    """Broken: redrawing a border would leave a customer with nobody allowed to come."""
    far = factories.home(north_m=500_000)
    factories.seed(session, customers=[factories.customer(), factories.customer("c2", home=far, postcode="ZE1 0AA")])
    people.add_providers(session, providers=[Provider(provider_id=ProviderId("other"), name="Other")])
    polygons(session, {"park": HOME}, park="The Park")
    add_contract(session, contract_id="c-1", provider_id="other", locality_id="park", since=date(2026, 4, 1))
    held = {move.customer_id: move.held for move in place(session).moves}
    assert held == {
        "c1": "kindly holds no contract for locality park on 2026-11-02; other does",
        "c2": "lives in none of manchester's localities",
    }
    assert {one.locality_id for one in people.customers(session)} == {LOCALITY}


def test_another_councils_customers_are_never_moved(session: Session) -> None:
    """Broken: one council's map would take another's customers."""
    factories.seed(session)
    people.add_councils(session, councils=[Council(council_id=CouncilId("county"), name="County")])
    theirs = Locality(locality_id=LocalityId("north"), council_id=CouncilId("county"), name="North", outward_codes=())
    people.add_localities(session, localities=[theirs])
    people.add_customers(session, customers=[factories.customer("c9", locality_id="north")])
    polygons(session, {"park": HOME}, park="The Park")
    assert [move.customer_id for move in place(session).moves] == ["c1"]
