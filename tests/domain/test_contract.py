"""Which contracts exclude each other."""

from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evm.domain.contract import Contract, conflicts, said
from evm.domain.ids import CouncilId, LocalityId, ProviderId

APRIL = date(2026, 4, 1)
OCTOBER = date(2026, 10, 1)
NEXT = date(2027, 4, 1)


def contract(name: str, provider: str, since: date, until: date | None = None, *, exclusive: bool = True) -> Contract:
    return Contract(
        contract_id=name,
        council_id=CouncilId("manchester"),
        provider_id=ProviderId(provider),
        locality_id=LocalityId("m14"),
        since=since,
        until=until,
        exclusive=exclusive,
    )


def test_a_contract_holds_from_its_first_day_until_the_first_day_after() -> None:
    """Broken: on the day of a change two providers, or none, would be commissioned."""
    one = contract("c", "kindly", APRIL, NEXT)
    assert [one.holds(day) for day in (date(2026, 3, 31), APRIL, date(2027, 3, 31), NEXT)] == [False, True, True, False]


@pytest.mark.parametrize(
    "first, second, expected",
    [
        (contract("a", "kindly", APRIL), contract("b", "other", OCTOBER), True),
        (contract("a", "kindly", APRIL, OCTOBER), contract("b", "other", OCTOBER), False),
        (contract("a", "kindly", APRIL, exclusive=False), contract("b", "other", APRIL, exclusive=False), False),
        (contract("a", "kindly", APRIL, exclusive=False), contract("b", "other", APRIL), True),
        (contract("a", "kindly", APRIL, exclusive=False), contract("b", "kindly", APRIL, exclusive=False), True),
    ],
)
def test_an_exclusive_contract_stands_alone_and_shared_ones_beside_each_other(
    first: Contract, second: Contract, expected: bool
) -> None:
    """Broken: an exclusive right would be sold twice, or the two localities with two providers could not be written down."""
    assert bool(conflicts([second, first])) is expected


@given(st.dates(APRIL, NEXT), st.dates(APRIL, NEXT), st.dates(APRIL, NEXT), st.dates(APRIL, NEXT))
def test_two_contracts_meet_exactly_when_a_day_holds_both(a: date, b: date, c: date, d: date) -> None:
    """Broken: an overlap of one day would pass, or neighbours be refused."""
    first = contract("a", "kindly", min(a, b), max(a, b))
    second = contract("b", "other", min(c, d), max(c, d))
    days = (date.fromordinal(day) for day in range(APRIL.toordinal(), NEXT.toordinal() + 1))
    assert first.meets(second) == second.meets(first) == any(first.holds(day) and second.holds(day) for day in days)


def test_a_contract_is_said_with_whose_where_and_when() -> None:
    """Broken: a refusal would name two ids and leave the reader to look them up."""
    assert (
        said(contract("c-1", "kindly", APRIL, NEXT))
        == "c-1 (kindly in m14, exclusive, from 2026-04-01 until 2027-04-01)"
    )


def test_a_contract_that_ends_before_it_begins_is_a_bug() -> None:
    """Broken: a period turned round would hold on no day and be noticed by nobody."""
    with pytest.raises(ValueError, match="ends before"):
        contract("c", "kindly", NEXT, APRIL)
