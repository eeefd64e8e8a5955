"""The kind of file `claim`: a provider's claim on a council, a line a row, as the council's own system has it. Each reference and
provider in it becomes one invoice. Not the verdicts (evm.services.invoice) and not the matching of lines to visits (evm.domain.billing).

A file reference that came before is refused whole: the council would be asked twice. What the file says of actual times is the provider's
word, kept with the line and never evidence."""

import unicodedata
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any, Final

from sqlalchemy.orm import Session

from evm.domain.billing.invoice import ClaimLine, InvoiceClaim
from evm.domain.ids import CouncilId, CustomerId, ProviderId, VisitId
from evm.domain.period import AmbiguousLocalTime, NonexistentLocalTime, care_day, to_utc
from evm.services.imports.csv_file import Row, RowError
from evm.services.imports.fields import day, local_time, pence, text, whole, yes_no
from evm.services.imports.kind import Context, FieldDef, Taken, read_row, rejected
from evm.services.imports.layout import Layout
from evm.services.invoice import invoice_id_of
from evm.services.invoice_form import (
    LINE_PENCE_MAX,
    MINUTES_MAX,
    NUMBER_LENGTH_MAX,
    InvoiceRefused,
    check_heading,
)
from evm.store import claims, feeds, people, plans
from evm.store.claims import ClaimFile, ClaimRow
from evm.store.feeds import RefKind

WORKERS_MAX: Final = 4
DAYS_A_WEEK: Final = 7
LONG: Final = 200


def _field(name: str, words: str, example: str, reader: Any = None, *, required: bool = False) -> FieldDef:
    return FieldDef(name=name, required=required, words=words, example=example, reader=reader)


FIELDS: Final[tuple[FieldDef, ...]] = (
    _field(
        "file_reference",
        "The claim's own reference; becomes the invoice's number",
        "FR-2026-044",
        text(max=NUMBER_LENGTH_MAX),
        required=True,
    ),
    _field("description", "Free text about the claim", "Week 44", text(max=LONG)),
    _field("created", "The day on which the file was made", "2026-11-02", day),
    _field("provider_ref", "What the council's system calls the provider", "P-17", text(max=80), required=True),
    _field("contract_number", "The contract claimed under", "HC/17", text(max=80)),
    _field("customer_ref", "What the council's system calls the customer", "SU0042", text(max=80), required=True),
    _field("customer_details", "The customer's name, for people to read", "A. Customer", text(max=LONG)),
    _field("week_ending", "The last day of the week that the visit is in", "2026-11-01", day),
    _field(
        "our_ref", "The provider's own reference of the line; our visit's id, if they have it", "v-123", text(max=80)
    ),
    _field("contribution", "What the customer pays of it, in pounds; kept", "2.50", pence),
    _field("payment", "What is claimed from the council for the row, in pounds", "13.65", pence, required=True),
    _field("service_type", "The kind of service", "PC30", text(max=80)),
    _field("visit_date", "The visit's local day", "2026-10-29", day, required=True),
    _field("start_time", "The claimed local start", "09:00", local_time, required=True),
    _field("duration", "The claimed minutes of each worker", "30", whole(least=0, most=MINUTES_MAX), required=True),
    _field("actual_start", "The start that the provider's system recorded; kept, not evidence", "09:04", local_time),
    _field("actual_duration", "The minutes it recorded; kept, not evidence", "26", whole(least=0, most=MINUTES_MAX)),
    _field("secondary", "yes: the second worker of a double-up", "no", yes_no),
    _field("workers", "How many care workers the visit had", "1", whole(least=1, most=WORKERS_MAX)),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What a chunk's references mean."""

    council: CouncilId
    providers: Mapping[str, str]
    customers: Mapping[str, str]
    visits: Mapping[str, ProviderId]
    files: Mapping[tuple[str, ProviderId], ClaimFile]
    references: Collection[str]
    numbers: Collection[tuple[ProviderId, str]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """See the module."""

    name: str = "claim"
    words: str = (
        "A line of a provider's claim on a council, one visit of one worker (or of several) a row. Each file reference and provider "
        "becomes an invoice, whose lines are then judged by evidence."
    )
    fields: tuple[FieldDef, ...] = FIELDS

    def take(self, session: Session, *, rows: Sequence[Row], context: Context) -> Sequence[Taken]:
        """Check the rows and keep them under their claim, which the first of its rows begins."""
        council = _council(session, context)
        if council is None:
            words = "which council the claim is on must be said: give --council"
            return [rejected(row.number, RowError(row=row.number, field="council", words=words)) for row in rows]
        read = [(row, *read_row(row, fields=self.fields, layout=context.layout)) for row in rows]
        known = _known(session, council, [values for _, values, _ in read], context)
        kept: list[ClaimRow] = []
        begun: dict[tuple[str, ProviderId], ClaimFile] = {}
        taken = []
        for row, values, errors in read:
            found = _row_of(row, values, errors, known, context)
            if isinstance(found, Taken):
                taken.append(found)
                continue
            claim_row, provider, warnings = found
            begun.setdefault(
                (values["file_reference"], provider), _file(values["file_reference"], provider, known, context)
            )
            kept.append(claim_row)
            taken.append(Taken(row=row.number, outcome="new", subject=claim_row.customer, errors=warnings))
        for key, file in begun.items():
            if key not in known.files:
                claims.begin(session, file=file, day=care_day(context.now, zone=context.layout.zone))
        claims.append_rows(session, rows=kept)
        return taken

    def finish(self, session: Session, *, context: Context) -> tuple[RowError, ...]:
        """Complete the invoices: their periods, sums and lines."""
        council = _council(session, context)
        if council is None:
            return ()
        errors: list[RowError] = []
        for file in claims.files_of_import(session, council_id=council, file_sha256=context.file_sha256):
            errors += _complete(session, file, context)
        return tuple(errors)


def _council(session: Session, context: Context) -> CouncilId | None:
    """The council that was named; of an installation with one council only, that one."""
    if context.council is not None:
        return context.council
    known = people.councils(session)
    return known[0].council_id if len(known) == 1 else None


def _known(session: Session, council: CouncilId, read: Sequence[Mapping[str, Any]], context: Context) -> _Known:
    references = {text for values in read if (text := values.get("file_reference"))}
    files = claims.files_of_reference(session, council_id=council, references=references)
    before = {reference for (reference, _), file in files.items() if file.file_sha256 != context.file_sha256}
    mine = {key: file for key, file in files.items() if file.file_sha256 == context.file_sha256}
    numbers = claims.numbers_used(session, numbers=references) - {(provider, number) for number, provider in mine}
    return _Known(
        council=council,
        providers=_meant(session, council, RefKind.PROVIDER, read, "provider_ref", context),
        customers=_meant(session, council, RefKind.CUSTOMER, read, "customer_ref", context),
        visits=_visits(session, read),
        files=mine,
        references=before,
        numbers=numbers,
    )


def _meant(
    session: Session,
    council: CouncilId,
    kind: RefKind,
    read: Sequence[Mapping[str, Any]],
    field: str,
    context: Context,
) -> dict[str, str]:
    """Our ids of the council's references (kind of file `refs`, the layout's name as the system); an id of ours means itself."""
    wanted = {text for values in read if (text := values.get(field))}
    stated = feeds.refs(session, owner_id=council, system=context.layout.name, kind=kind, among=wanted)
    scope = council if kind is RefKind.CUSTOMER else None
    ours = feeds.known_ids(session, kind=kind, ids={*wanted, *stated.values()}, council_id=scope)
    found = {text: text for text in wanted if text in ours}
    return found | {ref: our_id for ref, our_id in stated.items() if our_id in ours}


def _visits(session: Session, read: Sequence[Mapping[str, Any]]) -> dict[str, ProviderId]:
    """Of the rows' own references those that are ids of planned visits of ours, with the visits' providers."""
    wanted = {VisitId(text) for values in read if (text := values.get("our_ref"))}
    return {each.visit_id: each.provider_id for each in plans.planned_visits_of(session, visit_ids=wanted)}


def _row_of(
    row: Row, values: Mapping[str, Any], errors: tuple[RowError, ...], known: _Known, context: Context
) -> Taken | tuple[ClaimRow, ProviderId, tuple[RowError, ...]]:
    """The row as it is kept, its provider, and warnings; or the row refused with all that is wrong with it."""
    found = list(errors)

    def wrong(field: str, words: str) -> None:
        found.append(RowError(row=row.number, field=field, words=words))

    provider = _provider(values, known, context, wrong)
    customer = known.customers.get(values.get("customer_ref") or "")
    if customer is None and values.get("customer_ref"):
        wrong(
            "customer_ref",
            f"{values['customer_ref']!r} is no customer of this council that we know: state it in a file of kind refs",
        )
    _check_reference(values, provider, known, wrong)
    _check_sense(values, context, wrong)
    warnings: tuple[RowError, ...] = ()
    start: datetime | None = None
    if values.get("visit_date") and values.get("start_time") is not None:
        try:
            start, warnings = _start(row, values["visit_date"], values["start_time"], context.layout)
        except NonexistentLocalTime as gap:
            wrong("start_time", str(gap))
    if found or provider is None or customer is None or start is None:
        return rejected(row.number, *found, subject=values.get("customer_ref") or "")
    return _claim_row(row, values, provider, CustomerId(customer), start, known, context), provider, warnings


def _provider(values: Mapping[str, Any], known: _Known, context: Context, wrong: Any) -> ProviderId | None:
    ref = values.get("provider_ref")
    if not ref:
        return None
    provider = known.providers.get(ref)
    if provider is None:
        wrong("provider_ref", f"{ref!r} is no provider that we know: state it in a file of kind refs")
        return None
    if context.provider is not None and provider != context.provider:
        wrong("provider_ref", f"{ref!r} is provider {provider}; this file is taken in for {context.provider}")
    return ProviderId(provider)


def _check_reference(values: Mapping[str, Any], provider: ProviderId | None, known: _Known, wrong: Any) -> None:
    reference = values.get("file_reference")
    if not reference:
        return
    if any(unicodedata.category(letter)[0] == "C" for letter in reference):
        wrong("file_reference", "must be printable")
    if reference in known.references:
        wrong(
            "file_reference",
            f"a file {reference!r} was taken in before: a corrected claim needs a reference of its own",
        )
    elif (provider, reference) in known.numbers:
        wrong(
            "file_reference",
            f"an invoice {reference!r} of this provider came in another way: give the claim another reference",
        )


def _check_sense(values: Mapping[str, Any], context: Context, wrong: Any) -> None:
    """What no row can be, whatever is stored."""
    on, ending = values.get("visit_date"), values.get("week_ending")
    if on is not None and ending is not None and not ending - timedelta(days=DAYS_A_WEEK) < on <= ending:
        first = ending - timedelta(days=DAYS_A_WEEK - 1)
        wrong("visit_date", f"{on} is not in the week that ends on {ending} ({first} to {ending})")
    if on is not None and on > care_day(context.now, zone=context.layout.zone):
        wrong("visit_date", f"{on} is still to come; claim the visits that have been")
    if (values.get("payment") or 0) > LINE_PENCE_MAX:
        wrong("payment", f"is more than £{LINE_PENCE_MAX // 100:,} for one row")
    if values.get("secondary") and values.get("workers") == 1:
        wrong("workers", "is 1, yet the row is for a second worker: say how many came")


def _start(row: Row, on: date, at: time, layout: Layout) -> tuple[datetime, tuple[RowError, ...]]:
    """The claimed start. Of a local time that comes twice the first is taken, with a warning: the evidence decides what is paid."""
    try:
        return to_utc(day=on, at=at, zone=layout.zone), ()
    except AmbiguousLocalTime as twice:
        words = f"{at:%H:%M} on {on} comes twice (the clocks go back); the first is taken"
        warning = RowError(row=row.number, field="start_time", words=words, warning=True)
        offset = max(twice.offsets_minutes)
        return to_utc(day=on, at=at, zone=layout.zone, offset_minutes=offset), (warning,)


def _claim_row(
    row: Row,
    values: Mapping[str, Any],
    provider: ProviderId,
    customer: CustomerId,
    start: datetime,
    known: _Known,
    context: Context,
) -> ClaimRow:
    ours = values.get("our_ref")
    headers = context.layout.columns
    said = {headers.get(name, name): text for name, text in row.values.items() if text}
    return ClaimRow(
        invoice_id=invoice_id_of(provider=provider, number=values["file_reference"]),
        row=row.number,
        week_ending=values.get("week_ending"),
        customer=customer,
        visit=VisitId(ours) if ours and known.visits.get(ours) == provider else None,
        start=start,
        minutes=values["duration"],
        pence=values["payment"],
        is_secondary=bool(values.get("secondary")),
        workers=values.get("workers") or (2 if values.get("secondary") else 1),
        columns=said | {name: text for name, text in row.extra.items() if text},
    )


def _file(reference: str, provider: ProviderId, known: _Known, context: Context) -> ClaimFile:
    return ClaimFile(
        council=known.council,
        reference=reference,
        provider=provider,
        invoice_id=invoice_id_of(provider=provider, number=reference),
        file_sha256=context.file_sha256,
        layout=context.layout.name,
        received_at=context.now,
    )


def _complete(session: Session, file: ClaimFile, context: Context) -> list[RowError]:
    sums = claims.sums(session, invoice_id=file.invoice_id)
    if sums is None:
        return []
    today = care_day(context.now, zone=context.layout.zone)
    since = care_day(sums.start_first, zone=context.layout.zone)
    until = care_day(sums.start_last, zone=context.layout.zone) + timedelta(days=1)
    if sums.week_ending_first is not None and sums.week_ending_last is not None:
        since = min(since, sums.week_ending_first - timedelta(days=DAYS_A_WEEK - 1))
        until = max(until, min(sums.week_ending_last, today) + timedelta(days=1))
    heading = InvoiceClaim(
        provider=file.provider,
        council=file.council,
        number=file.reference,
        period_since=since,
        period_until=until,
        claimed_pence=sums.pence,
        lines=(),
    )
    try:
        check_heading(session, invoice=heading, today=today)
    except InvoiceRefused as refused:
        return [RowError(row=sums.first_row, field=refused.field, words=refused.words)]
    claims.complete(
        session, invoice_id=file.invoice_id, period_since=since, period_until=until, claimed_pence=sums.pence
    )
    _write_lines(session, file.invoice_id)
    return []


def _write_lines(session: Session, invoice_id: str) -> None:
    """A row is a line of its slot. A row alone for several workers is a line for each; of two rows alike for two workers the second is
    the second worker's."""
    together = claims.claimed_together(session, invoice_id=invoice_id)
    first_of: set[tuple[CustomerId, datetime]] = set()
    number = 0
    for rows in claims.rows_in_order(session, invoice_id=invoice_id):
        lines: list[tuple[int, ClaimLine]] = []
        for row in rows:
            key = (row.customer, row.start)
            count, secondary = together.get(key, (1, int(row.is_secondary)))
            for slot, share in _shares(row, count=count, secondary=secondary, is_again=key in first_of):
                number += 1
                lines.append((row.row, _line(row, number, slot, share)))
            if count > 1:
                first_of.add(key)
        claims.append_lines(session, invoice_id=invoice_id, lines=lines)


def _shares(row: ClaimRow, *, count: int, secondary: int, is_again: bool) -> list[tuple[int, int]]:
    """The slots a row claims, with the pence of each; an odd penny goes to the first."""
    if row.is_secondary:
        return [(1, row.pence)]
    if count == 1 and row.workers > 1:
        each, rest = divmod(row.pence, row.workers)
        return [(slot, each + (1 if slot < rest else 0)) for slot in range(row.workers)]
    if count == row.workers == 2 and secondary == 0 and is_again:
        return [(1, row.pence)]
    return [(0, row.pence)]


def _line(row: ClaimRow, number: int, slot: int, share_pence: int) -> ClaimLine:
    return ClaimLine(
        line_no=number,
        visit=row.visit,
        slot=slot,
        customer=row.customer,
        worker=None,
        start=row.start,
        minutes_claimed=row.minutes,
        pence_claimed=share_pence,
    )


CLAIM: Final = Claim()
