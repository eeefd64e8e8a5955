"""Readers of one cell of a file: each takes the cell's text and the file's layout and gives a value, or refuses with the remedy.
Not the meaning of a column (kinds) and not whole rows.

Only the layout's date format is read (bad-input 68); text stays text, so that 0042 keeps its noughts and 4.47E+11 is refused (69);
what looks like a formula is kept as it came (67)."""

import re
import unicodedata
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from enum import StrEnum
from fractions import Fraction
from typing import Final, TypeVar

import phonenumbers

from evm.domain.ids import is_id
from evm.domain.money import exact_number
from evm.domain.period import AmbiguousLocalTime, NonexistentLocalTime, in_zone, to_utc
from evm.services.imports.layout import Layout

Value = TypeVar("Value")
Member = TypeVar("Member", bound=StrEnum)
Reader = Callable[[str, Layout], Value]

SCIENTIFIC: Final = re.compile(r"[0-9](\.[0-9]+)?[eE]\+?[0-9]+")
PLAIN_BRITISH: Final = re.compile(r"0[1-9][0-9]{8,9}", re.ASCII)
BIDI_MARKS: Final = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
POSTCODE: Final = re.compile(
    r"(GIR0AA|[A-PR-UWYZ](?:[0-9]{1,2}|[A-HK-Y][0-9]|[A-HK-Y][0-9][0-9ABEHMNPRV-Y]|[0-9][A-HJKPS-UW])[0-9][ABD-HJLNP-UW-Z]{2})"
)
SERIAL_DAY_ZERO: Final = date(1899, 12, 30)
YEARS: Final = (1900, 2100)


class CellRefused(ValueError):  # noqa: N818 -- named for what is wrong
    """The cell cannot be read: `words` say what is wrong and what to write instead."""

    def __init__(self, words: str) -> None:
        super().__init__(words)
        self.words = words


def whole(*, least: int, most: int) -> Reader[int]:
    """A whole number written in digits only, within `[least, most]`."""

    def read(text: str, layout: Layout) -> int:
        del layout
        if re.fullmatch(r"-?[0-9]{1,12}", text) is None:
            raise CellRefused(f"{_shown(text)} is not a whole number: write digits only, {least} to {most}")
        if not least <= int(text) <= most:
            raise CellRefused(f"{text} is out of reach: {least} to {most}")
        return int(text)

    return read


def day(text: str, layout: Layout) -> date:
    """A day in the layout's one format."""
    pattern = r"([0-9]{4})-([0-9]{2})-([0-9]{2})" if layout.dates == "iso" else r"([0-9]{2})/([0-9]{2})/([0-9]{4})"
    found = re.fullmatch(pattern, text)
    if found is None:
        raise CellRefused(_not_a_day(text, layout))
    numbers = [int(group) for group in found.groups()]
    year, month, number = numbers if layout.dates == "iso" else reversed(numbers)
    try:
        read = date(year, month, number)
    except ValueError:
        raise CellRefused(f"{text} is no day of the calendar; days are written {_day_format(layout)}") from None
    if not YEARS[0] <= year <= YEARS[1]:
        raise CellRefused(f"{text} is out of reach: a year from {YEARS[0]} to {YEARS[1]}")
    return read


def local_time(text: str, layout: Layout) -> time:
    """A time of day on the 24-hour clock: 07:30, or with seconds 07:30:00."""
    del layout
    return clock_time(text)


def clock_time(text: str) -> time:
    """The same, for a time inside a longer text."""
    found = re.fullmatch(r"([0-9]{1,2}):([0-9]{2})(?::([0-9]{2}))?", text)
    if found is None:
        dotted = re.fullmatch(r"([0-9]{1,2})\.([0-9]{2})", text)
        remedy = f"write {int(dotted[1]):02d}:{dotted[2]}" if dotted else "write hours and minutes, such as 07:30"
        raise CellRefused(f"{_shown(text)} is not a time of day: {remedy}")
    hour, minute, second = (int(group or 0) for group in found.groups())
    if (hour, minute, second) == (24, 0, 0):
        raise CellRefused("24:00 is not a time of day: write 00:00 and the next day")
    if hour > 23 or minute > 59 or second > 59:
        raise CellRefused(f"{text} is not a time of day: 00:00 to 23:59")
    return time(hour, minute, second)


def instant(text: str, layout: Layout) -> datetime:
    """The instant (aware UTC) of a local day and time in the layout's zone: `2026-11-02 07:30`. A time the clocks jump over, and one that
    comes twice without its UTC offset (`2026-10-25 01:30+01:00`), are refused with the choices (bad-input 75, 76)."""
    found = re.fullmatch(r"([0-9/-]{10})[ T]([0-9:]{4,8})(Z|[+-][0-9]{2}:[0-9]{2})?", text)
    if found is None:
        raise CellRefused(f"{_shown(text)} is not a day and a time: write {_day_format(layout)} HH:MM")
    on, at = day(found[1], layout), local_time(found[2], layout)
    try:
        return to_utc(day=on, at=at, zone=layout.zone, offset_minutes=_offset_minutes(found[3]))
    except NonexistentLocalTime as gap:
        raise CellRefused(str(gap)) from None
    except AmbiguousLocalTime as twice:
        choices = " or ".join(f"{found[1]} {found[2]}{_offset_words(minutes)}" for minutes in twice.offsets_minutes)
        raise CellRefused(f"{at:%H:%M} on {on} comes twice: the clocks go back. Write {choices}") from None
    except ValueError as wrong:
        raise CellRefused(str(wrong)) from None


def pence(text: str, layout: Layout) -> int:
    """An amount of money written in pounds (`12`, `12.5`, `12.50`), as whole pence. No sign, no £, no thousands' commas."""
    del layout
    if re.fullmatch(r"[0-9]{1,9}(\.[0-9]{1,2})?", text) is None:
        raise CellRefused(f"{_shown(text)} is not an amount: write pounds and pence in digits, such as 1234.50")
    pounds, _, rest = text.partition(".")
    return int(pounds) * 100 + int(rest.ljust(2, "0"))


def exact(text: str, layout: Layout) -> Fraction:
    """An exact number: `45`, `45.5` or `91/2`."""
    del layout
    try:
        return exact_number(text)
    except ValueError as wrong:
        raise CellRefused(str(wrong)) from None


def number(*, least: float, most: float) -> Reader[float]:
    """A measured number (a coordinate, a radius) with at most nine decimals."""

    def read(text: str, layout: Layout) -> float:
        del layout
        if re.fullmatch(r"-?[0-9]{1,9}(\.[0-9]{1,9})?", text) is None or not least <= float(text) <= most:
            raise CellRefused(f"{_shown(text)} is not a number from {least:g} to {most:g}, such as 53.8008")
        return float(text)

    return read


def text(*, max: int, lines: bool = False) -> Reader[str]:  # noqa: A002 -- the name everybody builds on
    """Text of at most `max` characters, in Unicode's composed form; marks that turn the reading direction are taken out (bad-input 54),
    control characters refused. With `lines`, line breaks are read as commas; without, refused."""

    def read(text: str, layout: Layout) -> str:
        del layout
        kept = ", ".join(part.strip(" ,") for part in text.splitlines()) if lines else text
        kept = unicodedata.normalize("NFC", kept)
        if not kept.isascii():
            kept = "".join(letter for letter in kept if letter not in BIDI_MARKS)
        for letter in "" if kept.isprintable() else kept:
            if unicodedata.category(letter) == "Cc":
                raise CellRefused(f"holds a control character (U+{ord(letter):04X}): take it out")
        if len(kept) > max:
            raise CellRefused(f"is {len(kept)} characters long: at most {max}")
        return _not_scientific(kept)

    return read


def identifier(text: str, layout: Layout) -> str:
    """An id of ours: 1 to 32 lower-case letters, digits and hyphens."""
    del layout
    if not is_id(_not_scientific(text)):
        raise CellRefused(f"{_shown(text)} is not an id: 1 to 32 lower-case letters, digits and hyphens")
    return text


def postcode(text: str, layout: Layout) -> str:
    """A postcode of the United Kingdom by its form, as `LS1 4AP`. Whether it exists is not asked here."""
    del layout
    packed = text.upper().replace(" ", "")
    if POSTCODE.fullmatch(packed) is None:
        raise CellRefused(f"{_shown(text)} has not the form of a postcode, such as LS1 4AP")
    return f"{packed[:-3]} {packed[-3:]}"


def phone(text: str, layout: Layout) -> str:
    """A telephone number in E.164 (`+441134960000`); one without a country is British."""
    del layout
    plain = text.replace(" ", "")
    if PLAIN_BRITISH.fullmatch(plain):  # what the library makes of these, twenty times as fast
        return f"+44{plain[1:]}"
    wanted = _not_scientific(text)
    wanted = "+" + wanted[2:] if wanted.startswith("00") else wanted
    try:
        parsed = phonenumbers.parse(wanted, "GB")
    except phonenumbers.NumberParseException:
        raise CellRefused(f"{_shown(text)} is not a telephone number, such as 0113 496 0000") from None
    whole_number = phonenumbers.is_possible_number_with_reason(parsed) == phonenumbers.ValidationResult.IS_POSSIBLE
    if re.fullmatch(r"[0-9+() .-]+", wanted) is None or not whole_number:
        raise CellRefused(f"{_shown(text)} is not a telephone number, such as 0113 496 0000")
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.E164)


def nhs_number(text: str, layout: Layout) -> str:
    """An NHS number: ten digits (spaces allowed) whose last is the check digit (modulus 11)."""
    del layout
    digits = _not_scientific(text).replace(" ", "")
    if re.fullmatch(r"[0-9]{10}", digits) is None:
        raise CellRefused(f"{_shown(text)} is not an NHS number: ten digits")
    check = 11 - sum(int(digit) * weight for digit, weight in zip(digits, range(10, 1, -1), strict=False)) % 11
    if check % 11 != int(digits[-1]) or check == 10:
        raise CellRefused("is not an NHS number: its check digit does not fit, so a digit is mistyped")
    return digits


def digits(*, most: int) -> Reader[str]:
    """A code of up to `most` digits, kept as text with its noughts."""

    def read(text: str, layout: Layout) -> str:
        del layout
        if re.fullmatch(r"[0-9]+", _not_scientific(text)) is None or len(text) > most:
            raise CellRefused(f"{_shown(text)} is not a code of up to {most} digits, such as 0042")
        return text

    return read


def language(text: str, layout: Layout) -> str:
    """A language by its code: two to eight lower-case letters (`en`, `pa`, `bsl`)."""
    del layout
    if re.fullmatch(r"[a-z]{2,8}", text) is None:
        raise CellRefused(f"{_shown(text)} is not a language's code: lower-case letters, such as en, pa, bsl")
    return text


def skill(text: str, layout: Layout) -> str:
    """A skill, task or language by its short name: 1 to 40 lower-case letters, digits, hyphens and underscores."""
    del layout
    if re.fullmatch(r"[a-z0-9][a-z0-9_-]{0,39}", _not_scientific(text)) is None:
        raise CellRefused(
            f"{_shown(text)} is not a short name: lower-case letters, digits, hyphens, such as moving-and-handling"
        )
    return text


def yes_no(text: str, layout: Layout) -> bool:
    """`yes` or `no`, in any case of letters."""
    del layout
    if text.lower() not in {"yes", "no"}:
        raise CellRefused(f"{_shown(text)} is neither yes nor no")
    return text.lower() == "yes"


def one_of(kind: type[Member]) -> Reader[Member]:
    """One of an enumeration's values, as it is written there."""

    def read(text: str, layout: Layout) -> Member:
        del layout
        try:
            return kind(text)
        except ValueError:
            choices = ", ".join(member.value for member in kind)
            raise CellRefused(f"{_shown(text)} is not one of: {choices}") from None

    return read


def many(reader: Reader[Value], *, separator: str = ";") -> Reader[tuple[Value, ...]]:
    """Several values in one cell; blanks around each are taken off, none twice. An empty cell is none."""

    def read(text: str, layout: Layout) -> tuple[Value, ...]:
        parts = [part.strip() for part in text.split(separator) if part.strip()]
        found = tuple(reader(part, layout) for part in parts)
        for place, value in enumerate(found):
            if value in found[:place]:
                raise CellRefused(f"{_shown(parts[place])} stands there twice: once is enough")
        return found

    return read


def optional(reader: Reader[Value]) -> Reader[Value | None]:
    """None for an empty cell, else what `reader` reads."""

    def read(text: str, layout: Layout) -> Value | None:
        return reader(text, layout) if text else None

    return read


def _shown(text: str) -> str:
    """The start of a cell in quotes, on one line."""
    return repr(text if len(text) <= 40 else text[:40] + "…")


def _not_scientific(text: str) -> str:
    if SCIENTIFIC.fullmatch(text):
        raise CellRefused(
            f"{text} is what a spreadsheet makes of a long number, its digits are lost: format the column as text and enter it again"
        )
    return text


def _day_format(layout: Layout) -> str:
    return "YYYY-MM-DD" if layout.dates == "iso" else "DD/MM/YYYY"


def _not_a_day(text: str, layout: Layout) -> str:
    if re.fullmatch(r"[0-9]{5}", text):
        meant = SERIAL_DAY_ZERO + timedelta(days=int(text))
        return (
            f"{text} is a spreadsheet's number of a day (perhaps {meant}): format the column as {_day_format(layout)}"
        )
    return f"{_shown(text)} is not a day in this layout's format: write {_day_format(layout)}"


def _offset_minutes(text: str | None) -> int | None:
    if text is None:
        return None
    if text == "Z":
        return 0
    minutes = int(text[1:3]) * 60 + int(text[4:6])
    return -minutes if text[0] == "-" else minutes


def _offset_words(minutes: int) -> str:
    sign = "-" if minutes < 0 else "+"
    return f"{sign}{abs(minutes) // 60:02d}:{abs(minutes) % 60:02d}"


def local_words(at: datetime, *, zone: str) -> str:
    """An instant as a person reads it in a zone: `2026-11-02 07:30`."""
    return in_zone(at, zone=zone).strftime("%Y-%m-%d %H:%M")
