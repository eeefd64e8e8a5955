"""Every reader of a cell reads its one form and refuses the rest with the remedy: bad-input rows 67 to 69, 73, 75, 76 and 81."""

from datetime import UTC, date, datetime, time
from fractions import Fraction

import phonenumbers
import pytest

from evm.domain.plan import Risk
from evm.services.imports import fields
from evm.services.imports.fields import CellRefused
from tests.services.imports.sheets import layout

ISO = layout()
BRITISH = layout(dates="dd/mm/yyyy")


def refusal(reader, text, *, by=ISO) -> str:
    with pytest.raises(CellRefused) as caught:
        reader(text, by)
    return caught.value.words


def test_row_67_what_looks_like_a_formula_is_kept_as_it_came():
    """Changing a name that begins with @ or = would change what was said; exports neutralise it."""
    for text in ('=HYPERLINK("x")', "+44", "@home", "-1"):
        assert fields.text(max=100)(text, ISO) == text


def test_row_68_only_the_layouts_format_of_days_is_read():
    """3 April and 4 March would be swapped by a reader that guesses."""
    assert fields.day("2026-04-03", ISO) == date(2026, 4, 3)
    assert fields.day("03/04/2026", BRITISH) == date(2026, 4, 3)
    assert "YYYY-MM-DD" in refusal(fields.day, "03/04/2026")
    assert "DD/MM/YYYY" in refusal(fields.day, "2026-04-03", by=BRITISH)
    assert "DD/MM/YYYY" in refusal(fields.day, "04/13/2026", by=BRITISH)
    assert "no day" in refusal(fields.day, "2026-02-30")


def test_row_68_a_spreadsheets_number_of_a_day_is_named_as_one():
    """46115 is 3 April 2026 to a spreadsheet and a year far away to a program."""
    words = refusal(fields.day, "46115")
    assert "spreadsheet" in words
    assert "2026-04-03" in words


@pytest.mark.parametrize(
    ("text", "remedy"), [("9.30", "09:30"), ("24:00", "00:00"), ("7:00 AM", "07:30"), ("25:00", "23:59")]
)
def test_row_68_a_time_that_is_none_is_refused_with_what_to_write(text, remedy):
    """9.30 is nine hours and eighteen minutes to a spreadsheet."""
    assert remedy in refusal(fields.local_time, text)


def test_times_are_of_the_24_hour_clock_with_or_without_seconds():
    """A spreadsheet writes 7:00:00 where its owner sees 07:00."""
    assert fields.local_time("07:30", ISO) == time(7, 30)
    assert fields.local_time("7:30:00", ISO) == time(7, 30)


@pytest.mark.parametrize("reader", [fields.phone, fields.identifier, fields.text(max=50), fields.nhs_number])
def test_row_69_a_number_in_scientific_notation_is_refused_where_text_belongs(reader):
    """4.47E+11 was somebody's telephone number: the digits are gone."""
    assert "spreadsheet" in refusal(reader, "4.47E+11")


def test_row_69_text_keeps_its_noughts():
    """A key safe opens with 0042, not with 42."""
    assert fields.text(max=8)("0042", ISO) == "0042"


def test_row_69_a_telephone_number_is_one_number_with_or_without_its_first_nought():
    """A spreadsheet takes the nought off: 1134960000 must still ring the same house, and a scrap nobody's."""
    for text in ("0113 496 0000", "0044 113 496 0000", "1134960000", "+44 (0113) 496-0000"):
        assert fields.phone(text, ISO) == "+441134960000"
    assert fields.phone("+33 1 23 45 67 89", ISO) == "+33123456789"
    for text in ("496", "0113 496 0000 0000 1", "none", "0113 FLOWERS"):
        assert "not a telephone number" in refusal(fields.phone, text)


@pytest.mark.parametrize("text", ["ls1 4ap", "LS14AP", "LS1  4AP"])
def test_row_73_a_postcode_is_kept_in_one_form(text):
    """Three spellings would be three places."""
    assert fields.postcode(text, ISO) == "LS1 4AP"


@pytest.mark.parametrize("text", ["LS1", "LSI 4AP", "12345", "LS1 4A", "QQ1 1QQ", "LS1 4AP\n5"])
def test_row_73_what_has_not_the_form_of_a_postcode_is_refused(text):
    """A letter I for a 1 would put a customer nowhere."""
    assert "postcode" in refusal(fields.postcode, text)


def test_row_73_an_nhs_number_with_a_wrong_check_digit_is_refused():
    """One mistyped digit is another patient."""
    assert fields.nhs_number("943 476 5919", ISO) == "9434765919"
    assert "check digit" in refusal(fields.nhs_number, "943 476 5918")
    assert "ten digits" in refusal(fields.nhs_number, "943 476 591")


def test_row_75_a_local_instant_the_clocks_jump_over_is_refused_with_its_choices():
    """01:30 on 28 March 2027 would silently become some other time."""
    words = refusal(fields.instant, "2027-03-28 01:30")
    assert "00:30" in words
    assert "02:30" in words


def test_row_76_a_local_instant_that_comes_twice_needs_its_offset():
    """One of two nights' hours would be chosen for the customer."""
    words = refusal(fields.instant, "2027-10-31 01:30")
    assert "2027-10-31 01:30+01:00" in words
    assert "2027-10-31 01:30+00:00" in words
    assert fields.instant("2027-10-31 01:30+01:00", ISO) == datetime(2027, 10, 31, 0, 30, tzinfo=UTC)
    assert fields.instant("31/10/2027 01:30Z", BRITISH) == datetime(2027, 10, 31, 1, 30, tzinfo=UTC)
    assert fields.instant("2027-07-01 08:00", ISO) == datetime(2027, 7, 1, 7, 0, tzinfo=UTC)


@pytest.mark.parametrize("text", ["0", "-15", "1441", "45 mins", "45.5", "1e3", "٤٥"])
def test_row_81_minutes_are_a_whole_number_within_a_day(text):
    """Half minutes and words would be rounded by whoever reads them."""
    assert "1 to 1440" in refusal(fields.whole(least=1, most=1440), text)


def test_amounts_are_pounds_with_pence_and_nothing_else():
    """A comma or a pound sign would make a thousand pounds of one or of nothing."""
    assert [fields.pence(text, ISO) for text in ("12", "12.5", "12.50", "0.05")] == [1200, 1250, 1250, 5]
    for text in ("£12", "1,234", "0.005", "-5", "1e400", "12."):
        assert "pounds and pence" in refusal(fields.pence, text)
    assert fields.exact("91/2", ISO) == Fraction(91, 2)
    assert "plain number" in refusal(fields.exact, "1e400")


def test_marks_that_turn_the_reading_direction_are_taken_out_and_control_characters_refused():
    """A name could be made to read as another's (bad-input 54)."""
    assert fields.text(max=20)("An\u202en", ISO) == "Ann"
    assert fields.text(max=20)("e\u0301", ISO) == "é"
    assert "U+0007" in refusal(fields.text(max=20), "A\x07nn")
    assert "U+000A" in refusal(fields.text(max=20), "A\nnn")
    assert fields.text(max=40, lines=True)("1 High St,\nLeeds", ISO) == "1 High St, Leeds"
    assert "at most 3" in refusal(fields.text(max=3), "Anne")


def test_several_values_stand_in_one_cell_and_none_twice():
    """The same landline twice would break the table's key at the very end of an import."""
    read = fields.many(fields.phone)
    assert read("0113 496 0000; 0113 496 0001;", ISO) == ("+441134960000", "+441134960001")
    assert "twice" in refusal(read, "0113 496 0000;01134960000")
    assert fields.optional(fields.day)("", ISO) is None


def test_a_word_outside_an_enumeration_is_refused_with_the_choices():
    """`high` would have to mean one of ours."""
    assert fields.one_of(Risk)("time_critical", ISO) is Risk.TIME_CRITICAL
    assert "time_critical, standard, low" in refusal(fields.one_of(Risk), "high")
    assert fields.yes_no("Yes", ISO) is True
    assert "neither" in refusal(fields.yes_no, "Y")


@pytest.mark.parametrize("text", ["0113 496 0000", "01134960000", "07700 900001", "016977 2222", "0161 4960 000"])
def test_plain_british_numbers_are_read_as_the_library_reads_them(text):
    """The quick way for most cells must never answer another number than the slow one."""
    parsed = phonenumbers.parse(text, "GB")
    assert phonenumbers.is_possible_number(parsed)
    assert fields.phone(text, ISO) == phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)
