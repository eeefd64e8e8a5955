"""What an invoice must be before it is taken in: who, which days, whole pence, a total that agrees. Not what is paid of it."""

import unicodedata
from collections.abc import Iterable
from datetime import date, timedelta
from typing import Final

from sqlalchemy.orm import Session

from evm.domain.billing.invoice import ClaimLine, InvoiceClaim
from evm.domain.ids import is_id
from evm.domain.money import pounds
from evm.store import money, people

LINES_MAX: Final = 100_000
PERIOD_DAYS_MAX: Final = 366
MINUTES_MAX: Final = 1440
LINE_PENCE_MAX: Final = 1_000_000
SLOT_MAX: Final = 9
NUMBER_LENGTH_MAX: Final = 40
INTEGER_MAX: Final = 2**31 - 1
YEARS: Final = range(2000, 2200)


class InvoiceRefused(ValueError):  # noqa: N818 -- a refused command, named as what happened
    """The invoice cannot be taken as it stands. `field` is what is at fault, `words` why and what to do."""

    def __init__(self, *, field: str, words: str) -> None:
        super().__init__(f"{field}: {words}")
        self.field = field
        self.words = words


class InvoiceConflict(InvoiceRefused):
    """The provider's number stands for another invoice already."""


def check_form(session: Session, *, invoice: InvoiceClaim, today: date) -> None:
    """InvoiceRefused at the first thing that cannot be true. `today` is the local day (bad-input 85, 87, 90)."""
    check_heading(session, invoice=invoice, today=today)
    _check_lines(invoice.lines)
    _check_total(invoice)


def check_heading(session: Session, *, invoice: InvoiceClaim, today: date) -> None:
    """InvoiceRefused at the first thing of an invoice's number, parties or period that cannot be true."""
    _check_number(invoice.number)
    _check_parties(session, invoice)
    _check_period(session, invoice, today=today)


def check_same(*, stored: InvoiceClaim, sent: InvoiceClaim) -> None:
    """InvoiceConflict unless the invoice sent is the one that is stored under its number (bad-input 92)."""
    if stored.claimed_pence != sent.claimed_pence:
        words = (
            f"invoice {sent.number} was received with a total of {pounds(stored.claimed_pence)}, and this one says "
            f"{pounds(sent.claimed_pence)}; give a changed invoice a number of its own"
        )
        raise InvoiceConflict(field="number", words=words)
    by_number = tuple(sorted(sent.lines, key=lambda line: line.line_no))
    days = (stored.council, stored.period_since, stored.period_until)
    if stored.lines != by_number or days != (sent.council, sent.period_since, sent.period_until):
        words = f"invoice {sent.number} was received with other lines or another period; give this one its own number"
        raise InvoiceConflict(field="number", words=words)


def _check_number(number: str) -> None:
    printable = all(unicodedata.category(character)[0] != "C" for character in number)
    if not number.strip() or len(number) > NUMBER_LENGTH_MAX or not printable:
        raise InvoiceRefused(field="number", words=f"must be 1 to {NUMBER_LENGTH_MAX} printable characters")


def _check_parties(session: Session, invoice: InvoiceClaim) -> None:
    if invoice.provider not in {provider.provider_id for provider in people.providers(session)}:
        raise InvoiceRefused(field="provider", words="is not a provider known here")
    if invoice.council not in {council.council_id for council in people.councils(session)}:
        raise InvoiceRefused(field="council", words="is not a council known here")


def _check_period(session: Session, invoice: InvoiceClaim, *, today: date) -> None:
    since, until = invoice.period_since, invoice.period_until
    if until <= since or (until - since).days > PERIOD_DAYS_MAX:
        words = f"must be after {since}, the first day, and at most {PERIOD_DAYS_MAX} days later"
        raise InvoiceRefused(field="period_until", words=words)
    if until > today + timedelta(days=1):
        words = f"is {until - timedelta(days=1)} at its last day, which is still to come; claim the days that have been"
        raise InvoiceRefused(field="period_until", words=words)
    deals = money.agreements(session, provider_id=invoice.provider, council_id=invoice.council)
    if not any(deal.effective_from < until for deal in deals):
        words = "lies before any agreement between this provider and this council"
        raise InvoiceRefused(field="period_since", words=words)


def _check_lines(lines: tuple[ClaimLine, ...]) -> None:
    if not 1 <= len(lines) <= LINES_MAX:
        raise InvoiceRefused(field="lines", words=f"must be 1 to {LINES_MAX:,}")
    seen: set[int] = set()
    for line in lines:
        where = f"lines[{line.line_no!r}]"
        _check_whole(f"{where}.line_no", line.line_no, least=1, most=INTEGER_MAX)
        _check_whole(f"{where}.slot", line.slot, least=0, most=SLOT_MAX)
        _check_whole(f"{where}.minutes_claimed", line.minutes_claimed, least=0, most=MINUTES_MAX)
        _check_whole(f"{where}.pence_claimed", line.pence_claimed, least=0, most=LINE_PENCE_MAX)
        _check_ids(where, line)
        if line.line_no in seen:
            raise InvoiceRefused(field=where, words="the line number stands twice; number every line once")
        seen.add(line.line_no)


def _check_whole(field: str, value: object, *, least: int, most: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
        words = f"must be a whole number from {least} to {most} (money in pence, without signs, commas or points)"
        raise InvoiceRefused(field=field, words=words)


def _check_ids(where: str, line: ClaimLine) -> None:
    named: Iterable[tuple[str, object]] = (
        ("visit", line.visit),
        ("customer", line.customer),
        ("worker", line.worker),
    )
    for name, value in named:
        if value is not None and not (isinstance(value, str) and is_id(value)):
            words = "must be an id: 1 to 32 lower-case letters, digits and hyphens"
            raise InvoiceRefused(field=f"{where}.{name}", words=words)
    if line.start.tzinfo is None or line.start.year not in YEARS:
        raise InvoiceRefused(field=f"{where}.start", words="must have a UTC offset and a year from 2000 to 2199")


def _check_total(invoice: InvoiceClaim) -> None:
    _check_whole("claimed_pence", invoice.claimed_pence, least=0, most=LINES_MAX * LINE_PENCE_MAX)
    lines_pence = sum(line.pence_claimed for line in invoice.lines)
    if lines_pence != invoice.claimed_pence:
        words = f"is {pounds(invoice.claimed_pence)}, but the lines add up to {pounds(lines_pence)}; they must agree"
        raise InvoiceRefused(field="claimed_pence", words=words)
