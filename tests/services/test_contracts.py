"""Contracts: who may serve which locality on which day."""

from datetime import date
from threading import Thread
from typing import Any

import pytest
from sqlalchemy.orm import Session, sessionmaker

from evm.domain.ids import CouncilId, LocalityId, ProviderId
from evm.domain.people import Council, Locality, Provider
from evm.domain.policy import Policy
from evm.services import roster
from evm.services.contracts import add_contract, end_contract, refuse_conflicts, set_contract
from evm.services.localities import LocalityRefused, contracts_on, may_serve, not_commissioned
from evm.store import people
from tests import factories
from tests.factories import COUNCIL, LOCALITY, PROVIDER

APRIL, NOVEMBER, NEXT = date(2026, 4, 1), date(2026, 11, 2), date(2027, 4, 1)
OTHER = ProviderId("other")


@pytest.fixture
def town(session: Session) -> Session:
    """Two providers, and another council that keeps no contracts."""
    factories.seed(session)
    people.add_providers(session, providers=[Provider(provider_id=OTHER, name="Other Care")])
    people.add_councils(session, councils=[Council(council_id=CouncilId("county"), name="County")])
    theirs = Locality(locality_id=LocalityId("north"), council_id=CouncilId("county"), name="North", outward_codes=())
    people.add_localities(session, localities=[theirs])
    return session


def add(session: Session, name: str = "c-1", **changes: Any) -> None:
    values: dict[str, Any] = {"provider_id": PROVIDER, "locality_id": LOCALITY, "since": APRIL}
    add_contract(session, contract_id=name, **(values | changes))


def serves(session: Session, provider: ProviderId, on: date = NOVEMBER, locality: str = LOCALITY) -> bool:
    return may_serve(session, provider_id=provider, locality_id=LocalityId(locality), on=on)


def test_where_a_council_keeps_no_contracts_everybody_may_serve(town: Session) -> None:
    """Broken: taking this version in would stop every provider at once; or one council's contracts would bind another's providers."""
    assert serves(town, OTHER)
    add(town)
    assert not serves(town, OTHER)
    assert serves(town, OTHER, locality="north")


def test_a_contract_gives_the_right_from_its_first_day_until_the_day_it_ends(town: Session) -> None:
    """Broken: a provider would be refused on its first day, or come after its last."""
    add(town, until=NEXT)
    days = (date(2026, 3, 31), APRIL, date(2027, 3, 31), NEXT)
    assert [serves(town, PROVIDER, day) for day in days] == [False, True, True, False]


def test_who_is_not_commissioned_is_told_who_is(town: Session) -> None:
    """Broken: a refused roster or claim would not say what to ask the council."""
    add(town)
    words = not_commissioned(town, provider_id=OTHER, locality_id=LOCALITY, on=NOVEMBER)
    assert words == "other holds no contract for locality m14 on 2026-11-02; kindly does"
    words = not_commissioned(town, provider_id=OTHER, locality_id=LOCALITY, on=date(2025, 1, 1))
    assert words == "other holds no contract for locality m14 on 2025-01-01; nobody does"


def test_two_exclusive_contracts_in_force_together_are_refused_with_both(town: Session) -> None:
    """Broken: the exclusive right to a locality would be given twice."""
    add(town)
    with pytest.raises(
        LocalityRefused, match=r"c-1 \(kindly in m14, exclusive, from 2026-04-01\) and c-2 \(other in m14"
    ):
        add(town, "c-2", provider_id=OTHER, since=NOVEMBER)
    end_contract(town, contract_id="c-1", until=NOVEMBER)
    add(town, "c-2", provider_id=OTHER, since=NOVEMBER)
    assert [each.provider_id for each in contracts_on(town, locality_id=LOCALITY, on=NOVEMBER)] == [OTHER]


def test_a_locality_may_be_shared_by_two(town: Session) -> None:
    """Broken: the two localities with two providers each could not be written down."""
    add(town, exclusive=False)
    add(town, "c-2", provider_id=OTHER, exclusive=False)
    assert serves(town, PROVIDER)
    assert serves(town, OTHER)


@pytest.mark.parametrize(
    "given, field, words",
    [
        ({"name": "C 1"}, "contract", "32 lower-case"),
        ({"name": "c-0"}, "contract", "there is a contract c-0 already"),
        ({"provider_id": "nobody"}, "provider", "it knows kindly, other"),
        ({"locality_id": "nowhere"}, "locality", "no locality 'nowhere'"),
        ({"until": APRIL}, "until", "give a later day"),
    ],
)
def test_a_contract_that_cannot_stand_is_refused_by_its_field(
    town: Session, given: dict[str, Any], field: str, words: str
) -> None:
    """Broken: a database's error would be the answer to a mistyped id."""
    add(town, "c-0", locality_id="north")
    with pytest.raises(LocalityRefused, match=words) as refused:
        add(town, **given)
    assert refused.value.field == field


def test_a_contract_ends_once_and_never_later(town: Session) -> None:
    """Broken: ending a contract that has ended would prolong it."""
    add(town, until=NOVEMBER)
    with pytest.raises(LocalityRefused, match="has ended by then already"):
        end_contract(town, contract_id="c-1", until=NEXT)
    with pytest.raises(LocalityRefused, match="no contract 'c-9'"):
        end_contract(town, contract_id="c-9", until=NEXT)


def test_setting_a_contract_again_changes_its_days_and_never_whose_it_is(town: Session) -> None:
    """Broken: a file taken in twice would be refused, or would give a contract to somebody else."""
    values: dict[str, Any] = {"contract_id": "c-1", "locality_id": LOCALITY, "since": APRIL, "exclusive": True}
    outcomes = [set_contract(town, provider_id=PROVIDER, until=until, **values)[0] for until in (None, None, NEXT)]
    assert outcomes == ["new", "same", "changed"]
    with pytest.raises(LocalityRefused, match="stands already"):
        set_contract(town, provider_id=OTHER, until=None, **values)
    refuse_conflicts(town, council_id=COUNCIL)
    set_contract(town, provider_id=OTHER, until=None, **(values | {"contract_id": "c-2"}))
    with pytest.raises(LocalityRefused, match=r"c-1 .* and c-2 .* are in force together"):
        refuse_conflicts(town, council_id=COUNCIL)


def test_no_roster_is_generated_for_who_is_not_commissioned_but_one_by_hand_stands(town: Session) -> None:
    """Broken: the office would plan runs that are never paid; or customers whose contract has just ended could be visited by nobody."""
    planned = {"locality_id": LOCALITY, "provider_id": PROVIDER, "day": NOVEMBER, "now": factories.NINE}
    quick = {"wishes": roster.Wishes(iterations_max=1, effort_seconds=0), "policy": Policy()}
    drafted = roster.make(town, seed=1, **planned, **quick)
    add(town, until=NOVEMBER)
    words = "No roster is generated: kindly holds no contract for locality m14 on 2026-11-02; nobody does"
    with pytest.raises(roster.RosterRefused, match=words):
        roster.make(town, seed=1, **planned, **quick)
    with pytest.raises(roster.RosterRefused, match=words):
        roster.publish(town, roster_id=drafted, by="ana", now=factories.NINE, policy=Policy())
    by_hand = roster.adopt(town, workers={}, **planned, **quick)
    roster.publish(town, roster_id=by_hand, by="ana", now=factories.NINE, policy=Policy())


def test_two_councillors_at_once_cannot_give_one_locality_twice(sessions: sessionmaker[Session]) -> None:
    """Broken: each would see no contract of the other, and both would be written down."""
    with sessions.begin() as session:
        factories.seed(session)
        people.add_providers(session, providers=[Provider(provider_id=OTHER, name="Other Care")])
    said: list[str] = []

    def second() -> None:
        try:
            with sessions.begin() as session:
                add(session, "c-2", provider_id=OTHER)
        except LocalityRefused as refused:
            said.append(refused.field)

    waiting = Thread(target=second)
    with sessions.begin() as session:
        add(session, "c-1")
        waiting.start()
        waiting.join(0.5)
        assert waiting.is_alive(), "the second waits for the first"
    waiting.join(20)
    assert said == ["exclusive"]
