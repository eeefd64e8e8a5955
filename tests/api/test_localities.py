"""The page of localities: whose they are, who is commissioned, what is planned."""

from datetime import date

import pytest
from sqlalchemy.orm import Session, sessionmaker

from api.pages.localities import _hours
from api.pages.outline import outline
from evm.services.contracts import add_contract
from evm.services.localities import set_polygons
from tests.api.conftest import Reader
from tests.domain.test_area import square
from tests.factories import COUNCIL, LOCALITY, NINE, PROVIDER


@pytest.fixture
def commissioned(sessions: sessionmaker[Session], there: object) -> None:
    """Kindly Care has Fallowfield to itself until April, Other Care from then on; both localities are drawn."""
    with sessions.begin() as session:
        april = date(2027, 4, 1)
        add_contract(session, contract_id="c-1", provider_id=PROVIDER, locality_id=LOCALITY, since=date(2026, 4, 1), until=april)  # fmt: skip
        add_contract(session, contract_id="c-2", provider_id="other-care", locality_id=LOCALITY, since=april)
        drawn = {LOCALITY: square(-2.3, 53.4), "m20": square(-2.2, 53.4)}
        set_polygons(session, council_id=COUNCIL, polygons=drawn, names={}, now=NINE)


@pytest.mark.usefixtures("commissioned")
def test_a_commissioner_sees_their_own_councils_localities_only(visitor: Reader) -> None:
    """Broken: one council would read another's contracts and customers."""
    page = visitor("commissioner").get("/localities")
    assert page.status_code == 200
    assert "Fallowfield" in page.text
    assert "Didsbury" in page.text
    assert "Ordsall" not in page.text
    assert "Ordsall" in visitor("admin").get("/localities").text


@pytest.mark.usefixtures("commissioned")
def test_contracts_are_shown_with_their_days_and_what_they_are(visitor: Reader) -> None:
    """Broken: nobody would see when a locality changes hands."""
    text = " ".join(visitor("commissioner").get("/localities").text.split())
    assert "<strong>Kindly Care</strong>, exclusive, Wednesday 1 April 2026 to Wednesday 31 March 2027" in text
    assert (
        '<strong>Other Care</strong>, exclusive, since Thursday 1 April 2027 <span class="site-quiet">(from later on)'
        in text
    )
    assert "Outlines of the localities of Manchester" in text


def test_a_council_without_contracts_says_that_everybody_may_serve(visitor: Reader) -> None:
    """Broken: an empty column would read as "nobody is commissioned"."""
    text = visitor("commissioner").get("/localities").text
    assert "keeps no contracts here: every provider may serve" in text
    assert "with customers there: Kindly Care" in text
    assert ">3.0<" in text, "six standing visits of half an hour are planned this week"


@pytest.mark.parametrize("minutes, words", [(0, "0.0"), (90, "1.5"), (3, "0.1"), (2, "0.0"), (60_000, "1,000.0")])
def test_minutes_are_said_in_hours_with_one_decimal(minutes: int, words: str) -> None:
    """Broken: the commissioned hours of a locality would be off by rounding twice."""
    assert _hours(minutes) == words


def test_outlines_keep_their_shape_and_north_is_up() -> None:
    """Broken: the picture would stand on its head, or be squeezed."""
    made = outline({"n": square(-2.2, 53.5), "s": square(-2.2, 53.4)}, numbers={"n": 1, "s": 2})
    assert made is not None
    north, south = made.shapes
    assert north.label_y < south.label_y
    assert north.label_x == south.label_x
    assert made.height == 600
    assert max(int(pair.split()[0]) for pair in north.path.strip("MZ").split("L")) == pytest.approx(
        8 + 292 * 0.594, abs=2
    )
    assert outline({}, numbers={}) is None
