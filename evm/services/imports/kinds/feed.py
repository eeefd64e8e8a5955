"""The kind of file `feed`: another vendor's record of visits, a visit or an event a row, as its own export names things. Not what becomes
of the events (evm.services.feeds).

The layout is the council's mapping for that vendor: besides columns it states the vendor, the meaning of its codes, and the grades of time
and place that the council grants it (B at best). Local times that come twice in autumn are refused, unless the row's UTC offset says which
is meant or only one reading puts the check-in before the check-out."""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

from sqlalchemy.orm import Session

from evm.domain.evidence import EventKind, Grade, Method
from evm.domain.ids import CustomerId, ProviderId, VisitId, WorkerId
from evm.domain.period import AmbiguousLocalTime, NonexistentLocalTime, in_zone, to_utc
from evm.services import feeds as feed_service
from evm.services.feeds import BEST_GRADE, FeedEvent, FeedTaken
from evm.services.imports.csv_file import Row, RowError
from evm.services.imports.fields import CellRefused, day, identifier, local_time, one_of, text, yes_no
from evm.services.imports.kind import Context, FieldDef, Taken, read_row, rejected
from evm.services.imports.layout import Layout
from evm.store import feeds, plans
from evm.store.feeds import RefKind

REF_LENGTH_MAX: Final = 80
AHEAD: Final = timedelta(minutes=5)
NIGHT: Final = timedelta(hours=14)
"""The longest visit past midnight that is understood without a day for its check-out."""

RFC3339: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?(Z|[+-][0-9]{2}:[0-9]{2})"
)
GRANTED: Final = ("vendor", "grade_time", "grade_place")
"""What a file cannot say of itself: whose it is and how far it is trusted."""

PRESENCE: Final = frozenset({EventKind.CHECK_IN, EventKind.CHECK_OUT})


def read_instant(text: str, layout: Layout) -> datetime:
    """An instant with its UTC offset, as RFC 3339 writes it; fractions of a second are cut off."""
    del layout
    if RFC3339.fullmatch(text) is None:
        raise CellRefused(f"{text[:40]!r} is not an instant: write 2026-11-02T09:00:00+00:00, with the UTC offset")
    try:
        return datetime.fromisoformat(text).astimezone(UTC).replace(microsecond=0)
    except (ValueError, OverflowError):
        raise CellRefused(f"{text[:40]!r} is no instant of the calendar") from None


def read_offset(text: str, layout: Layout) -> int:
    """A UTC offset in minutes: `+01:00`, `+00:00` or `Z`."""
    del layout
    if text == "Z":
        return 0
    if re.fullmatch(r"[+-][0-9]{2}:[0-9]{2}", text) is None:
        raise CellRefused(f"{text[:40]!r} is not a UTC offset: write +01:00 or +00:00")
    minutes = int(text[1:3]) * 60 + int(text[4:6])
    return -minutes if text[0] == "-" else minutes


def read_grade(text: str, layout: Layout) -> Grade:
    """A grade that a council may grant a feed."""
    grade = one_of(Grade)(text, layout)
    if grade < BEST_GRADE:
        words = f"{text}: a feed is granted {BEST_GRADE.value} at best, for nobody here saw the device"
        raise CellRefused(words)
    return grade


def _field(name: str, words: str, example: str, reader: Any, *, required: bool = False) -> FieldDef:
    return FieldDef(name=name, required=required, words=words, example=example, reader=reader)


FIELDS: Final[tuple[FieldDef, ...]] = (
    _field("vendor", "Whose feed it is; a constant of the layout", "careclock", identifier, required=True),
    _field("grade_time", "How far its times are trusted: B, C or D; a constant", "B", read_grade, required=True),
    _field(
        "grade_place", "How far its proofs of place are trusted: B, C or D; a constant", "B", read_grade, required=True
    ),
    _field(
        "row_ref", "The vendor's own id of the row, never used again", "8841", text(max=REF_LENGTH_MAX), required=True
    ),
    _field("worker_ref", "What the vendor calls the care worker", "W-12", text(max=REF_LENGTH_MAX), required=True),
    _field("customer_ref", "What it calls the customer", "SU-42", text(max=REF_LENGTH_MAX), required=True),
    _field("visit", "Our id of the planned visit, if the vendor has it", "v-123", identifier),
    _field("check_in_day", "A visit a row: the local day of the check-in", "2026-11-02", day),
    _field("check_in_time", "its local time", "09:02", local_time),
    _field("check_in_at", "or both as an instant", "2026-11-02T09:02:00+00:00", read_instant),
    _field("check_in_offset", "The UTC offset of the local check-in", "+00:00", read_offset),
    _field("check_in_method", "How the check-in's place was proved", "nfc", one_of(Method)),
    _field(
        "check_out_day",
        "The local day of the check-out; without it that of the check-in, or the next",
        "2026-11-02",
        day,
    ),
    _field("check_out_time", "its local time; empty while the worker is there", "09:31", local_time),
    _field("check_out_at", "or both as an instant", "2026-11-02T09:31:00+00:00", read_instant),
    _field("check_out_offset", "The UTC offset of the local check-out", "+00:00", read_offset),
    _field("check_out_method", "How the check-out's place was proved", "nfc", one_of(Method)),
    _field("event", "An event a row: check_in or check_out", "check_in", one_of(EventKind)),
    _field("event_day", "its local day", "2026-11-02", day),
    _field("event_time", "its local time", "09:02", local_time),
    _field("event_at", "or both as an instant", "2026-11-02T09:02:00+00:00", read_instant),
    _field("event_offset", "The UTC offset of the local time", "+00:00", read_offset),
    _field("event_method", "How its place was proved", "nfc", one_of(Method)),
    _field("amended", "yes: somebody changed the row's times in the vendor's system", "no", yes_no),
)

Wrong = Callable[[str, str], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Moment:
    """One end of a visit in a row: what it is, when it may have been (two readings in autumn), how its place was proved."""

    part: str
    field: str
    kind: EventKind
    readings: tuple[datetime, ...]
    method: Method


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What a chunk's references mean, by the vendor's names."""

    workers: Mapping[str, str]
    customers: Mapping[str, str]
    visits: Mapping[str, CustomerId]


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed:
    """See the module."""

    name: str = "feed"
    words: str = (
        "Another vendor's record of one provider's visits, a visit or an event a row. Each becomes evidence with its vendor and the "
        "grades that the layout grants; a row that comes again doubles nothing."
    )
    fields: tuple[FieldDef, ...] = FIELDS
    covers_until_exported: bool = True

    def take(self, session: Session, *, rows: Sequence[Row], context: Context) -> Sequence[Taken]:
        """Check the rows, append what is new, and say of each row what it was."""
        provider = context.provider
        if provider is None:
            words = "which provider's visits these are must be said: give --provider"
            return [rejected(row.number, RowError(row=row.number, field="provider", words=words)) for row in rows]
        granted = [name for name in GRANTED if name not in context.layout.constants]
        if granted:
            words = "is the council's to state, as a constant of the vendor's layout, and not the file's"
            return [rejected(row.number, RowError(row=row.number, field=granted[0], words=words)) for row in rows]
        read = [(row, *read_row(row, fields=self.fields, layout=context.layout)) for row in rows]
        known = _known(session, provider, [values for _, values, _ in read])
        parts = [_events_of(row, values, errors, provider, known, context) for row, values, errors in read]
        events = [event for part in parts if not isinstance(part, Taken) for event in part]
        answers = iter(feed_service.take_events(session, events=events, now=context.now, policy=context.policy))
        taken = [
            part if isinstance(part, Taken) else _taken(row, part, [next(answers) for _ in part], context)
            for (row, _, _), part in zip(read, parts, strict=True)
        ]
        _note_reach(session, events, provider, context)
        return taken

    def finish(self, session: Session, *, context: Context) -> tuple[RowError, ...]:
        """A file that says when it was exported reaches so far, though it has no row: nothing happened."""
        vendor, until = context.layout.constants.get("vendor"), context.exported_at
        if vendor is not None and until is not None and context.provider is not None:
            until = min(context.now, until)
            feeds.heard_feed(session, provider_id=context.provider, vendor=vendor, covered_until=until, now=context.now)
        return ()


def _known(session: Session, provider: ProviderId, read: Sequence[Mapping[str, Any]]) -> _Known:
    visits = {VisitId(visit) for values in read if (visit := values.get("visit"))}
    planned = plans.planned_visits_of(session, visit_ids=visits)
    return _Known(
        workers=_meant(session, provider, RefKind.WORKER, read, "worker_ref"),
        customers=_meant(session, provider, RefKind.CUSTOMER, read, "customer_ref"),
        visits={each.visit_id: each.customer_id for each in planned if each.provider_id == provider},
    )


def _meant(
    session: Session, provider: ProviderId, kind: RefKind, read: Sequence[Mapping[str, Any]], field: str
) -> dict[str, str]:
    """Our ids of the vendor's references (kind of file `refs`, the vendor as the system); an id of ours means itself."""
    found: dict[str, str] = {}
    for vendor in {vendor for values in read if (vendor := values.get("vendor"))}:
        wanted = {ref for values in read if values.get("vendor") == vendor and (ref := values.get(field))}
        stated = feeds.refs(session, owner_id=provider, system=vendor, kind=kind, among=wanted)
        ours = feeds.known_ids(session, kind=kind, ids={*wanted, *stated.values()}, provider_id=provider)
        found.update((ref, ref) for ref in wanted if ref in ours)
        found.update((ref, our_id) for ref, our_id in stated.items() if our_id in ours)
    return found


def _events_of(
    row: Row,
    values: Mapping[str, Any],
    errors: tuple[RowError, ...],
    provider: ProviderId,
    known: _Known,
    context: Context,
) -> Taken | list[FeedEvent]:
    """The row's check-in and check-out, or the row refused with all that is wrong with it."""
    found = list(errors)

    def wrong(field: str, words: str) -> None:
        found.append(RowError(row=row.number, field=field, words=words))

    worker = _resolved(values, "worker_ref", known.workers, "care worker", wrong)
    customer = _resolved(values, "customer_ref", known.customers, "customer", wrong)
    visit = values.get("visit")
    if visit is not None and known.visits.get(visit) != customer:
        wrong("visit", f"{visit!r} is no planned visit of this provider and customer")
    moments = _moments(values, context.layout, wrong)
    chosen = _chosen(moments, context, wrong)
    if not moments and not found:
        wrong("check_in_at" if "event" not in values else "event_at", "the row has neither a check-in nor a check-out")
    if found or worker is None or customer is None:
        return rejected(row.number, *found, subject=values.get("row_ref") or "")
    return [
        FeedEvent(
            provider=provider,
            vendor=values["vendor"],
            row_ref=values["row_ref"],
            part=moment.part,
            kind=moment.kind,
            at=at,
            method=moment.method,
            worker=WorkerId(worker),
            customer=CustomerId(customer),
            visit=None if visit is None else VisitId(visit),
            grade_time=values["grade_time"],
            grade_place=values["grade_place"],
            amended=bool(values.get("amended")),
        )
        for moment, at in zip(moments, chosen, strict=True)
    ]


def _resolved(values: Mapping[str, Any], field: str, known: Mapping[str, str], noun: str, wrong: Wrong) -> str | None:
    ref = values.get(field)
    if not ref:
        return None
    if ref not in known:
        wrong(field, f"{ref!r} is no {noun} of this provider that we know: state it in a file of kind refs")
    return known.get(ref)


def _moments(values: Mapping[str, Any], layout: Layout, wrong: Wrong) -> list[_Moment]:
    if "event" in values:
        kind = values["event"]
        if kind not in PRESENCE:
            wrong("event", "must be check_in or check_out: name the vendor's codes for them in the layout's values")
            return []
        return _moment(values, "event", kind, None, layout, wrong)
    entered = _moment(values, "check_in", EventKind.CHECK_IN, None, layout, wrong)
    left = _moment(values, "check_out", EventKind.CHECK_OUT, values.get("check_in_day"), layout, wrong)
    if entered and left and values.get("check_out_day") is None and values.get("check_out_time") is not None:
        left = [_not_before(entered[0], left[0], values, layout, wrong)]
    return entered + left


def _moment(
    values: Mapping[str, Any], name: str, kind: EventKind, other_day: date | None, layout: Layout, wrong: Wrong
) -> list[_Moment]:
    at = values.get(f"{name}_at")
    clock: time | None = values.get(f"{name}_time")
    on = values.get(f"{name}_day") or other_day
    method = values.get(f"{name}_method") or Method.MANUAL
    field = f"{name}_at" if at is not None else f"{name}_time"
    readings: tuple[datetime, ...] = ()
    if at is not None:
        readings = (at,)
    elif clock is not None and on is None:
        wrong(f"{name}_day", "is needed beside the time")
    elif clock is not None and on is not None:
        readings = _readings(on, clock, values.get(f"{name}_offset"), field, layout, wrong)
    return [_Moment(part=name, field=field, kind=kind, readings=readings, method=method)] if readings else []


def _not_before(entered: _Moment, left: _Moment, values: Mapping[str, Any], layout: Layout, wrong: Wrong) -> _Moment:
    """A check-out without a day of its own that would lie before the check-in is the next day's, when that makes a night's visit; what
    would make a longer one is a mistake, and stays before the check-in to be refused."""
    if max(left.readings) >= min(entered.readings):
        return left
    on = in_zone(min(entered.readings), zone=layout.zone).date() + timedelta(days=1)
    readings = _readings(on, values["check_out_time"], values.get("check_out_offset"), left.field, layout, wrong)
    if not readings or min(readings) - max(entered.readings) > NIGHT:
        return left
    return replace(left, readings=readings)


def _readings(
    on: date, clock: time, offset_minutes: int | None, field: str, layout: Layout, wrong: Wrong
) -> tuple[datetime, ...]:
    """The instants a local time may mean: one, or two on the night the clocks go back."""
    try:
        return (to_utc(day=on, at=clock, zone=layout.zone, offset_minutes=offset_minutes),)
    except AmbiguousLocalTime as twice:
        return tuple(
            sorted(
                to_utc(day=on, at=clock, zone=layout.zone, offset_minutes=minutes) for minutes in twice.offsets_minutes
            )
        )
    except NonexistentLocalTime as gap:
        wrong(field, str(gap))
    except ValueError as refused:
        wrong(field, str(refused))
    return ()


def _chosen(moments: Sequence[_Moment], context: Context, wrong: Wrong) -> list[datetime]:
    """One reading of each moment: the only one there is, or the only one that puts the check-in before the check-out."""
    if not moments:
        return []
    ways = [[reading] for reading in moments[0].readings]
    for moment in moments[1:]:
        ways = [[*way, reading] for way in ways for reading in moment.readings if way[-1] < reading]
    reach = timedelta(hours=context.policy.stay_hours_max)
    if not ways:
        wrong(moments[-1].field, "the check-out is not after the check-in")
    elif len(ways) > 1:
        twice = next(moment for moment in moments if len(moment.readings) > 1)
        words = (
            f"comes twice (the clocks go back): {_choices(twice, context.layout)}; a column of UTC offsets says which"
        )
        wrong(twice.field, words)
    elif ways[0][-1] - ways[0][0] > reach:
        wrong(moments[-1].field, f"lies more than {context.policy.stay_hours_max} hours after the check-in")
    elif ways[0][-1] > context.now + AHEAD:
        wrong(moments[-1].field, "is still to come")
    else:
        return ways[0]
    return []


def _choices(moment: _Moment, layout: Layout) -> str:
    local = [in_zone(reading, zone=layout.zone) for reading in moment.readings]
    return " or ".join(each.strftime("%H:%M %Z") for each in local)


def _taken(row: Row, events: Sequence[FeedEvent], answers: Sequence[FeedTaken], context: Context) -> Taken:
    subject = events[0].row_ref
    changed = [(event, answer) for event, answer in zip(events, answers, strict=True) if answer.outcome == "changed"]
    if changed:
        said = ", ".join(_change(event, answer, context.layout) for event, answer in changed)
        words = f"{said}; both are kept, and neither pays until a person decides"
        warning = RowError(row=row.number, field="row_ref", words=f"{subject}: {words}", warning=True)
        return Taken(row=row.number, outcome="changed", subject=subject, words=words, errors=(warning,))
    fresh = [answer for answer in answers if answer.outcome == "new"]
    if not fresh:
        return Taken(row=row.number, outcome="same", subject=subject)
    return Taken(row=row.number, outcome="new" if len(fresh) == len(answers) else "changed", subject=subject)


def _change(event: FeedEvent, answer: FeedTaken, layout: Layout) -> str:
    noun = "check-in" if event.kind is EventKind.CHECK_IN else "check-out"
    now_at = f"{in_zone(event.at, zone=layout.zone):%d %B %H:%M:%S}"
    if answer.before is None or answer.before == event.at:
        return f"{noun} of {now_at} now says something else"
    return f"{noun} {in_zone(answer.before, zone=layout.zone):%d %B %H:%M:%S} → {now_at}"


def _note_reach(session: Session, events: Sequence[FeedEvent], provider: ProviderId, context: Context) -> None:
    """How far the vendor's files have come: to when this one was exported, or else to its newest event."""
    newest: dict[str, datetime] = {}
    for event in events:
        newest[event.vendor] = max(event.at, newest.get(event.vendor, event.at))
    for vendor, at in sorted(newest.items()):
        covered = min(context.now, context.exported_at or at)
        feeds.heard_feed(session, provider_id=provider, vendor=vendor, covered_until=covered, now=context.now)


FEED: Final = Feed()
