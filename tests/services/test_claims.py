"""A provider's claim as the council's system has it: taken in whole or not at all, and judged by the same verdicts as any invoice."""

from datetime import UTC, date, datetime, timedelta

import pytest

from evm.domain.billing.invoice import Reason, Verdict
from evm.domain.policy import Policy
from evm.services import invoice as invoices
from evm.services.contracts import add_contract
from evm.services.imports.csv_file import FileRefused
from evm.services.imports.kinds.claim import CLAIM
from evm.services.imports.kinds.refs import REFS, person_digest
from evm.services.imports.layout import load_layout
from evm.store import claims, feeds, money, plans
from evm.store.feeds import RefKind
from tests import factories
from tests.services.invoicing import NOW, claim, line, seed
from tests.services.taking_in import take_in

HEADER = (
    "FileReference,Description,Created,ProviderRef,ContractNumber,ServiceUserRef,ServiceUserDetails,WeekEnding,OurRef,"
    "ServiceUserContribution,PaymentClaimed,ServiceType,VisitDate,StartTimeClaimed,DurationClaimed,ActualStartTime,"
    "ActualDuration,SecondaryVisit,NumberOfCarers,Zone"
)
REFERENCES = "system,kind,ref,our_id\nabacus,provider,P-17,kindly\nabacus,customer,SU0042,c1\n"


def row(
    *,
    reference="FR-44",
    provider="P-17",
    customer="SU0042",
    week="08/11/2026",
    ours="",
    pay="13.65",
    day="02/11/2026",
    start="09:00",
    minutes="30",
    secondary="N",
    workers="1",
):
    return (
        f"{reference},Week 45,09/11/2026,{provider},HC/17,{customer},A. Customer,{week},{ours},2.50,{pay},PC30,{day},{start},{minutes},"
        f"09:04,26,{secondary},{workers},South"
    )


def file(*rows):
    return "\n".join([HEADER, *(rows or (row(),))]) + "\n"


def taken(session, tmp_path, words, **changes):
    return take_in(
        session,
        kind=CLAIM,
        words=words,
        folder=tmp_path,
        now=NOW,
        **({"layout": "abacus", "council": "manchester"} | changes),
    )


@pytest.fixture
def stated(session, tmp_path):
    """The council's references of provider and customer are known, three visits are planned and two attended."""
    seed(session)
    report = take_in(session, kind=REFS, words=REFERENCES, folder=tmp_path, now=NOW, council="manchester")
    assert (report.new, report.errors) == (2, ())
    return session


def lines_of(session, provider="kindly", number="FR-44"):
    invoice_id = money.invoice_of_number(session, provider_id=provider, number=number)
    assert invoice_id is not None
    invoices.judge(session, invoice_id=invoice_id, now=NOW, policy=Policy())
    return invoice_id, invoices.lines_of(session, invoice_id=invoice_id)


def test_an_abacus_claim_becomes_an_invoice_judged_by_evidence(stated, tmp_path):
    """The council could not pay its provider's own claim by what monitoring evidences."""
    three = (row(), row(day="03/11/2026", start="09:05"), row(day="04/11/2026"))
    report = taken(stated, tmp_path, file(*three))
    assert (report.new, report.errors, report.warnings) == (3, (), ())
    invoice_id, lines = lines_of(stated)
    assert [(each.verdict.verdict, each.verdict.payable_pence) for each in lines] == [
        (Verdict.PAY, 1365),
        (Verdict.REDUCE, 1138),
        (Verdict.WITHHOLD, 0),
    ]
    heading = invoices.invoice(stated, invoice_id=invoice_id).invoice.claim
    assert (heading.period_since, heading.period_until) == (date(2026, 11, 2), date(2026, 11, 9))
    assert heading.claimed_pence == 3 * 1365
    assert "Taken for the visit planned at 09:00." in lines[1].verdict.words


def test_everything_the_file_says_is_kept_with_the_line(stated, tmp_path):
    """A column nobody knew, the contribution and the provider's own times would be lost; they are shown, and are no evidence."""
    taken(stated, tmp_path, file(row()))
    invoice_id, _ = lines_of(stated)
    columns = claims.columns_of(stated, invoice_id=invoice_id, rows=[2])[2]
    assert columns["Zone"] == "South"
    assert (columns["ServiceUserContribution"], columns["ActualDuration"], columns["VisitDate"]) == (
        "2.50",
        "26",
        "02/11/2026",
    )


def test_a_dry_run_says_the_same_and_leaves_nothing(stated, tmp_path):
    """A preview that kept something would have the claim refused as a duplicate when it comes."""
    report = taken(stated, tmp_path, file(), dry_run=True)
    assert (report.new, report.errors) == (1, ())
    assert money.invoice_list(stated) == ()
    assert taken(stated, tmp_path, file()).taken_in


def test_row_70_the_same_claim_file_twice_is_one_claim(stated, tmp_path):
    """bad-input 70: a file sent twice would be paid twice."""
    taken(stated, tmp_path, file())
    again = taken(stated, tmp_path, file())
    assert again.already is not None
    assert len(money.invoice_list(stated)) == 1


def test_a_file_reference_that_came_before_is_refused_whole(stated, tmp_path):
    """Another file under the same reference would add its lines to a claim that is judged already."""
    taken(stated, tmp_path, file())
    again = taken(stated, tmp_path, file(row(day="03/11/2026"), row(reference="FR-45")))
    assert not again.taken_in
    assert {(error.row, error.field) for error in again.errors} == {(2, "file_reference")}
    assert "taken in before" in again.errors[0].words
    assert [each.claim.number for each in money.invoice_list(stated)] == ["FR-44"]


def test_a_number_that_came_as_an_invoice_is_refused_as_a_claim(stated, tmp_path):
    """Two invoices of one provider under one number could not be told apart."""
    invoices.submit(stated, invoice=claim(line(1), number="FR-44"), now=NOW)
    report = taken(stated, tmp_path, file())
    assert "came in another way" in report.errors[0].words


def test_one_file_may_hold_several_references_and_each_is_an_invoice(stated, tmp_path):
    """A council that exports a month at once would have to cut its file by hand."""
    report = taken(stated, tmp_path, file(row(), row(reference="FR-45", day="03/11/2026")))
    assert report.taken_in
    assert {each.claim.number: each.claim.claimed_pence for each in money.invoice_list(stated)} == {
        "FR-44": 1365,
        "FR-45": 1365,
    }


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"day": "2026-11-02"}, "visit_date", "DD/MM/YYYY"),
        ({"day": "46328"}, "visit_date", "spreadsheet's number"),
        ({"start": "9.30"}, "start_time", "09:30"),
        ({"start": "24:00"}, "start_time", "00:00 and the next day"),
        ({"pay": "£13.65"}, "payment", "not an amount"),
        ({"pay": "-5"}, "payment", "not an amount"),
        ({"pay": "1e400"}, "payment", "not an amount"),
        ({"pay": "0.005"}, "payment", "not an amount"),
        ({"pay": "10000.01"}, "payment", "more than £10,000"),
        ({"minutes": '"1,441"'}, "duration", "not a whole number"),
        ({"minutes": "1441"}, "duration", "out of reach"),
        ({"minutes": "45.5"}, "duration", "not a whole number"),
        ({"provider": "P-18"}, "provider_ref", "kind refs"),
        ({"customer": "SU0043"}, "customer_ref", "kind refs"),
        ({"customer": "4.47E+11"}, "customer_ref", "its digits are lost"),
        ({"reference": ""}, "file_reference", "empty"),
        ({"week": "01/11/2026"}, "visit_date", "not in the week that ends on 2026-11-01"),
        ({"day": "02/12/2026", "week": "06/12/2026"}, "visit_date", "still to come"),
        ({"secondary": "maybe"}, "secondary", "not among the values"),
        ({"secondary": "Y"}, "workers", "second worker"),
    ],
)
def test_a_row_that_cannot_be_is_named_with_its_field_and_remedy(stated, tmp_path, changes, field, words):
    """bad-input 68, 69, 71, 85, 90: one bad row takes the whole file back, and says which."""
    report = taken(stated, tmp_path, file(row(day="03/11/2026"), row(**changes)))
    assert not report.taken_in
    assert (report.errors[0].row, report.errors[0].field) == (3, field)
    assert words in report.errors[0].words
    assert money.invoice_list(stated) == ()


def test_a_claim_before_any_agreement_is_refused(stated, tmp_path):
    """bad-input 90: nothing was agreed for those days."""
    report = taken(stated, tmp_path, file(row(day="02/03/2026", week="")))
    assert [(error.row, error.field) for error in report.errors] == [(2, "period_since")]


def test_a_claim_needs_to_say_which_council_where_there_are_several(stated, tmp_path):
    """Taken for the wrong council it would be judged by the wrong agreement."""
    from evm.domain.ids import CouncilId
    from evm.domain.people import Council
    from evm.store import people

    people.add_councils(stated, councils=[Council(council_id=CouncilId("salford"), name="Salford")])
    report = taken(stated, tmp_path, file(), council=None)
    assert "--council" in report.errors[0].words


def test_a_claim_for_another_provider_than_the_one_it_is_taken_in_for_is_refused(stated, tmp_path):
    """A provider's own person could claim in another provider's name."""
    report = taken(stated, tmp_path, file(), provider="another")
    assert report.errors[0].field == "provider_ref"


def double_up(session):
    plan = factories.planned_visit("double", start=factories.NINE + timedelta(days=10), workers_needed=2)
    plans.add_planned_visits(session, visits=[plan])
    return {"day": "12/11/2026", "week": "15/11/2026"}


@pytest.mark.parametrize(
    "rows",
    [
        [{"workers": "2", "secondary": "N"}, {"workers": "2", "secondary": "Y"}],
        [{"workers": "2", "secondary": "Y"}, {"workers": "2", "secondary": "N"}],
        [{"workers": "2"}, {"workers": "2"}],
        [{"workers": "2", "pay": "27.30"}],
    ],
)
def test_each_worker_of_a_double_up_is_a_line_of_its_own(stated, tmp_path, rows):
    """The second worker would be refused as a duplicate, or both be paid by one worker's evidence."""
    on = double_up(stated)
    assert taken(stated, tmp_path, file(*(row(**on, **each) for each in rows))).taken_in
    _, lines = lines_of(stated)
    assert {(each.line.slot, each.line.pence_claimed) for each in lines} == {(0, 1365), (1, 1365)}
    assert {each.verdict.reason for each in lines} == {Reason.NO_EVIDENCE}


def test_an_odd_penny_of_a_row_for_two_workers_is_not_lost(stated, tmp_path):
    """The lines would not add up to the file."""
    on = double_up(stated)
    taken(stated, tmp_path, file(row(**on, workers="2", pay="27.31")))
    _, lines = lines_of(stated)
    assert [each.line.pence_claimed for each in lines] == [1366, 1365]


def test_a_copied_row_is_a_duplicate(stated, tmp_path):
    """bad-input 82, 89: the same visit twice in one file would be paid twice."""
    taken(stated, tmp_path, file(row(), row()))
    _, lines = lines_of(stated)
    assert [each.verdict.reason for each in lines] == [Reason.EVIDENCED, Reason.DUPLICATE]


def test_a_line_is_disallowed_on_a_day_the_provider_holds_no_contract_for_the_locality(stated, tmp_path):
    """A council would pay a provider for a locality that it took away from it, or where it never commissioned it."""
    start = factories.NINE.date()
    terms = {"locality_id": factories.LOCALITY, "since": date(2026, 4, 1), "until": start + timedelta(days=1)}
    add_contract(stated, contract_id="k-1", provider_id=factories.PROVIDER, **terms)
    taken(stated, tmp_path, file(row(), row(day="03/11/2026", start="09:05")))
    invoice_id, lines = lines_of(stated)
    invoices.rejudge_behind(stated, now=NOW + timedelta(minutes=1), policy=Policy())
    assert [(each.verdict.verdict, each.verdict.reason) for each in lines] == [
        (Verdict.PAY, Reason.EVIDENCED),
        (Verdict.DISALLOW, Reason.UNKNOWN_VISIT),
    ]
    words = "Not commissioned: kindly holds no contract for locality m14 on 2026-11-03; nobody does."
    assert words in lines[1].verdict.words
    again = {"locality_id": factories.LOCALITY, "since": start + timedelta(days=1), "until": None}
    assert invoices.rejudge_behind(stated, now=NOW + timedelta(hours=1), policy=Policy()) == ()
    add_contract(stated, contract_id="k-2", provider_id=factories.PROVIDER, **again)
    assert invoices.rejudge_behind(stated, now=NOW + timedelta(hours=1), policy=Policy()) == (invoice_id,)
    lines = invoices.lines_of(stated, invoice_id=invoice_id)
    assert [each.verdict.verdict for each in lines] == [Verdict.PAY, Verdict.REDUCE]


def test_our_own_visit_id_as_the_lines_reference_names_the_visit(stated, tmp_path):
    """A provider who knows our ids would still be matched by nearness only."""
    taken(stated, tmp_path, file(row(ours="v2", day="03/11/2026", start="12:45"), row(ours="theirs-7")))
    _, lines = lines_of(stated)
    assert [each.line.visit for each in lines] == ["v2", None]
    assert [each.verdict.verdict for each in lines] == [Verdict.REDUCE, Verdict.PAY]


def test_row_76_a_start_that_comes_twice_in_autumn_is_taken_with_a_warning(stated, tmp_path):
    """bad-input 76: refusing it would leave a night visit that no file of this layout can claim."""
    report = taken(stated, tmp_path, file(row(day="25/10/2026", start="01:30", week="25/10/2026")))
    assert report.taken_in
    assert [(warning.row, warning.field) for warning in report.warnings] == [(2, "start_time")]
    _, lines = lines_of(stated)
    assert lines[0].line.start == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)


def test_row_75_a_start_that_the_clocks_jump_over_is_refused(stated, tmp_path):
    """bad-input 75: silently moved by an hour it would claim another time."""
    report = taken(stated, tmp_path, file(row(day="29/03/2026", start="01:30", week="29/03/2026")))
    assert report.errors[0].field == "start_time"


def test_a_plain_claim_in_our_own_words_is_taken(stated, tmp_path):
    """A provider without a contract system could not claim by file."""
    words = "file_reference,provider,customer,day,start,minutes,pounds\nFR-44,kindly,c1,2026-11-02,09:00,30,13.65\n"
    assert taken(stated, tmp_path, words, layout="popback_claim").taken_in
    _, lines = lines_of(stated)
    assert lines[0].verdict.verdict is Verdict.PAY


def test_a_council_maps_its_own_columns(stated, tmp_path):
    """Another council's export would need a programmer."""
    path = tmp_path / "ours.toml"
    path.write_text(
        '[layout]\nname = "ours"\nkind = "claim"\ndelimiter = ";"\ndates = "dd/mm/yyyy"\n[layout.columns]\nfile_reference = "Batch"\n'
        'customer_ref = "Client"\npayment = "Cost"\nvisit_date = "Date"\nstart_time = "From"\nduration = "Mins"\n'
        '[layout.constants]\nprovider_ref = "kindly"\n'
    )
    words = "Date;From;Mins;Client;Cost;Batch\n02/11/2026;09:00;30;c1;13.65;B1\n"
    assert taken(stated, tmp_path, words, layout=load_layout(path=path)).taken_in
    assert lines_of(stated, number="B1")[1][0].verdict.verdict is Verdict.PAY


def test_a_file_with_other_columns_than_the_layout_is_refused_whole(stated, tmp_path):
    """bad-input 61, 66: read by place a reordered file would claim nonsense."""
    with pytest.raises(FileRefused, match="PaymentClaimed"):
        taken(stated, tmp_path, file().replace("PaymentClaimed", "Paid"))
    with pytest.raises(FileRefused):
        taken(stated, tmp_path, file().replace(",", ";"))


@pytest.mark.parametrize(
    ("words", "field"),
    [
        ("abacus,customer,SU1,c9\n", "our_id"),
        ("abacus,nobody,SU1,c1\n", "kind"),
        ("Abacus 1,customer,SU1,c1\n", "system"),
        ("abacus,customer,,c1\n", "ref"),
    ],
)
def test_a_reference_to_nobody_is_refused(session, tmp_path, words, field):
    """Claims would be booked on a customer who does not exist."""
    seed(session)
    report = take_in(
        session, kind=REFS, words="system,kind,ref,our_id\n" + words, folder=tmp_path, now=NOW, council="manchester"
    )
    assert [error.field for error in report.errors] == [field]


def test_a_reference_stated_again_is_the_same_or_changed(stated, tmp_path):
    """A corrected list would be refused, or the wrong customer stay for ever."""
    words = "system,kind,ref,our_id\nabacus,customer,SU0042,c1\nabacus,provider,P-17,kindly\nabacus,customer,SU7,c1\n"
    report = take_in(stated, kind=REFS, words=words, folder=tmp_path, now=NOW, council="manchester")
    assert (report.new, report.changed, report.same) == (1, 0, 2)


def test_a_persons_number_is_kept_as_a_digest_only(stated, tmp_path):
    """A list of National Insurance numbers would lie in the database."""
    words = "system,kind,ref,our_id\npayroll,person,QQ 12 34 56 C,w1\n"
    report = take_in(stated, kind=REFS, words=words, folder=tmp_path, now=NOW, provider="kindly")
    assert report.taken_in
    assert feeds.persons(stated, worker_ids=["w1"]) == {"w1": person_digest("qq123456c")}
    assert feeds.refs(stated, owner_id="kindly", system="payroll", kind=RefKind.PERSON, among=["QQ 12 34 56 C"]) == {}
