"""Localities and contracts from files."""

from pathlib import Path

import pytest
from sqlalchemy.orm import Session, sessionmaker

from evm.domain.ids import CouncilId
from evm.domain.people import Council
from evm.store import areas, people
from tests.services.imports.files import ANN, BOB, COUNCIL, CUSTOMERS, settle, take

LOCALITIES = "locality,council,name,outward_codes\n"
CONTRACTS = "contract,provider,locality,since,until,exclusive\n"


@pytest.fixture
def town(sessions: sessionmaker[Session]) -> sessionmaker[Session]:
    """Leeds with one locality and two providers, and another council."""
    settle(sessions)
    with sessions.begin() as session:
        people.add_councils(session, councils=[Council(council_id=CouncilId("york"), name="York")])
    return sessions


def words(report) -> list[tuple[int, str, str]]:  # type: ignore[no-untyped-def]
    return [(error.row, error.field, error.words) for error in report.errors]


def read(town: sessionmaker[Session], folder: Path, kind: str, rows: str, **given):  # type: ignore[no-untyped-def]
    header = LOCALITIES if kind == "localities" else CONTRACTS
    return take(town, folder, kind, header + rows, provider=None, **given)


def test_localities_are_made_and_changed_with_what_changed(town: sessionmaker[Session], tmp_path: Path) -> None:
    """Broken: the preview would not say which codes move."""
    report = read(town, tmp_path, "localities", "ls1,leeds,City,LS1;LS2\nls6,leeds,Headingley,ls6\n")
    assert (report.new, report.changed, report.taken_in) == (1, 1, True)
    assert [change.words for change in report.changes] == ["outward_codes: LS1 → LS1, LS2", "Headingley"]
    with town() as session:
        made = {each.locality_id: each.outward_codes for each in people.localities(session, council_id=COUNCIL)}
    assert made == {"ls1": ("LS1", "LS2"), "ls6": ("LS6",)}


def test_codes_may_pass_from_one_locality_to_another_in_any_order_of_rows(
    town: sessionmaker[Session], tmp_path: Path
) -> None:
    """Broken: a file that stands by itself would be refused for the order of its rows."""
    report = read(town, tmp_path, "localities", "north,leeds,North,LS1\nls1,leeds,City,LS2\n")
    assert (report.taken_in, words(report)) == (True, [])


def test_a_code_of_two_localities_refuses_the_file_with_both(town: sessionmaker[Session], tmp_path: Path) -> None:
    """Broken: whose customers a district's are would follow from the order of rows."""
    report = read(town, tmp_path, "localities", "north,leeds,North,LS1\n")
    assert not report.taken_in
    assert words(report) == [
        (1, "outward_codes", "LS1 belongs to both ls1 and north: leave it to one, or divide it by polygons")
    ]


def test_rows_of_another_council_are_refused_by_row(town: sessionmaker[Session], tmp_path: Path) -> None:
    """Broken: one council could rename another's localities."""
    rows = "ls1,york,City,\nls1,,City,XX\nnew,leeds,New,\n"
    report = read(town, tmp_path, "localities", rows, council="york")
    assert [(row, field) for row, field, _ in words(report)] == [(2, "council"), (3, "locality"), (4, "council")]


def test_contracts_pass_from_provider_to_provider_in_one_file(town: sessionmaker[Session], tmp_path: Path) -> None:
    """Broken: the yearly file would have to be cut in two, with days on which nobody is commissioned."""
    first = read(town, tmp_path, "contracts", "a,northcare,ls1,2026-04-01,,yes\n", council="leeds")
    assert (first.new, first.taken_in) == (1, True)
    rows = "b,othercare,ls1,2027-04-01,,yes\na,northcare,ls1,2026-04-01,2027-04-01,yes\n"
    report = read(town, tmp_path, "contracts", rows, council="leeds")
    assert (report.new, report.changed, words(report)) == (1, 1, [])
    assert report.changes[1].words == "until: none → 2027-04-01"
    with town() as session:
        assert [each.provider_id for each in areas.contracts(session)] == ["northcare", "othercare"]


def test_contracts_that_exclude_each_other_refuse_the_file_with_both(
    town: sessionmaker[Session], tmp_path: Path
) -> None:
    """Broken: an exclusive right would be given twice by a file where the command refuses it."""
    report = read(town, tmp_path, "contracts", "a,northcare,ls1,2026-04-01,,yes\nb,othercare,ls1,2026-05-01,,no\n")
    ((row, field, sentence),) = words(report)
    assert (row, field) == (1, "exclusive")
    assert "a (northcare" in sentence
    assert "b (othercare" in sentence


@pytest.mark.parametrize(
    "row, field",
    [
        ("a,nobody,ls1,2026-04-01,,yes", "provider"),
        ("a,northcare,nowhere,2026-04-01,,yes", "locality"),
        ("a,northcare,ls1,01/04/2026,,yes", "since"),
        ("a,northcare,ls1,2026-04-01,2026-04-01,yes", "until"),
        ("a,northcare,ls1,2026-04-01,,maybe", "exclusive"),
        ("A A,northcare,ls1,2026-04-01,,yes", "contract"),
    ],
)
def test_a_wrong_cell_is_named(town: sessionmaker[Session], tmp_path: Path, row: str, field: str) -> None:
    """Broken: somebody would look for the fault in the wrong column."""
    report = read(town, tmp_path, "contracts", row + "\n")
    assert [(error[0], error[1]) for error in words(report)] == [(2, field)]


def test_a_providers_file_brings_no_contracts(town: sessionmaker[Session], tmp_path: Path) -> None:
    """Broken: a provider could commission itself."""
    report = take(town, tmp_path, "contracts", CONTRACTS + "a,northcare,ls1,2026-04-01,,yes\n")
    assert [error.field for error in report.errors] == ["provider"]


def test_a_new_customer_of_a_provider_without_a_contract_is_refused_by_row(
    town: sessionmaker[Session], tmp_path: Path
) -> None:
    """Broken: a provider would take people on where the council has commissioned somebody else; or those it has would be lost."""
    people_ = CUSTOMERS + ANN
    assert take(town, tmp_path, "customers", people_).taken_in
    read(town, tmp_path, "contracts", "a,othercare,ls1,2026-04-01,,yes\n", council="leeds")
    report = take(town, tmp_path, "customers", people_.replace("Ann", "Anne") + BOB)
    assert words(report) == [
        (3, "locality", "northcare holds no contract for locality ls1 on 2026-11-22; othercare does")
    ]
    assert take(town, tmp_path, "customers", people_.replace("Ann", "Anne")).taken_in, "whom they have, they keep"
