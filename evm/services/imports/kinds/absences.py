"""Hospital and other spells in which customers are away: their visits are suspended, and resumed when they are back. Not cancellations
of single visits."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Any, Final

from sqlalchemy.orm import Session

from evm.domain.ids import CustomerId
from evm.domain.period import to_utc
from evm.domain.plan import Absence, AbsenceKind
from evm.services import plan_changes
from evm.services.imports import fields
from evm.services.imports.csv_file import Row, RowError
from evm.services.imports.fields import local_words
from evm.services.imports.kind import Context, FieldDef, Taken, read_row, rejected
from evm.services.imports.layout import Layout
from evm.services.imports.scope import Scope
from evm.store import people, plans

EVER: Final = (datetime(1900, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC))


def day_or_instant(text: str, layout: Layout) -> datetime:
    """The instant of a local day and time, or of a local day's beginning."""
    if len(text) > 10:
        return fields.instant(text, layout)
    on: date = fields.day(text, layout)
    return to_utc(day=on, at=time(0), zone=layout.zone)


FIELDS: Final = (
    FieldDef(name="customer", required=True, words="The customer's id", example="c-0001", reader=fields.identifier),
    FieldDef(
        name="kind",
        required=True,
        words="hospital, respite, holiday, deceased",
        example="hospital",
        reader=fields.one_of(AbsenceKind),
    ),
    FieldDef(
        name="since",
        required=True,
        words="Local day, or day and time, from which they are away",
        example="2026-11-30 14:30",
        reader=day_or_instant,
    ),
    FieldDef(
        name="until",
        required=False,
        words="When they are back: the first day at home, or day and time; empty while nobody knows",
        example="2026-12-04",
        reader=day_or_instant,
    ),
)


@dataclass(frozen=True, slots=True)
class Absences:
    name: str = "absences"
    words: str = "Spells away from home. One that lasts is ended, or sooner, by a later row or file of the same beginning and its end."
    fields: tuple[FieldDef, ...] = FIELDS

    def take(self, session: Session, *, rows: Sequence[Row], context: Context) -> Sequence[Taken]:
        """Check and record each spell; visits and deadlines follow at once."""
        ids = sorted({CustomerId(row.values["customer"]) for row in rows})
        customers = {one.customer_id: one for one in people.customers(session, customer_ids=ids)}
        spells: dict[CustomerId, list[Absence]] = {}
        for spell in plans.absences(session, customer_ids=ids, since=EVER[0], until=EVER[1]):
            spells.setdefault(spell.customer_id, []).append(spell)
        scope = Scope(session, context)
        taken: list[Taken] = []
        for row in rows:
            values, errors = read_row(row, fields=FIELDS, layout=context.layout)
            customer = customers.get(CustomerId(values.get("customer", "")))
            errors += scope.missing(row.number, row.values["customer"], customer)
            if errors or customer is None:
                taken.append(rejected(row.number, *errors, subject=row.values["customer"]))
                continue
            own = spells.setdefault(customer.customer_id, [])
            taken.append(_taken(session, row.number, _absence(customer.customer_id, values), own, context=context))
        return taken

    def finish(self, session: Session, *, context: Context) -> tuple[RowError, ...]:
        """Nothing further: each row stands by itself."""
        del session, context
        return ()


def _absence(customer_id: CustomerId, values: dict[str, Any]) -> Absence:
    return Absence(customer_id=customer_id, kind=values["kind"], since=values["since"], until=values.get("until"))


def _taken(session: Session, row: int, spell: Absence, own: list[Absence], *, context: Context) -> Taken:
    """Record the spell, or the end of the one it continues; `own` are the customer's spells and follow."""
    standing = next((one for one in own if (one.since, one.kind) == (spell.since, spell.kind)), None)
    if standing is not None and standing.until == spell.until:
        return Taken(row=row, outcome="same", subject=spell.customer_id)
    wrong = _wrong(row, spell, standing, own, context=context)
    if wrong is not None:
        return rejected(row, wrong, subject=spell.customer_id)
    if standing is None or spell.until is None:
        plan_changes.go_away(session, absence=spell, now=context.now, policy=context.policy)
        own.append(spell)
        return Taken(row=row, outcome="new", subject=spell.customer_id, words=_words(spell, context))
    plan_changes.come_back(
        session, customer_id=spell.customer_id, until=spell.until, now=context.now, policy=context.policy
    )
    own[own.index(standing)] = spell
    return Taken(row=row, outcome="changed", subject=spell.customer_id, words=f"back: {_words(spell, context)}")


def _wrong(
    row: int, spell: Absence, standing: Absence | None, own: Sequence[Absence], *, context: Context
) -> RowError | None:
    """Why the spell cannot stand: its end, an overlap with another, a spell that is closed already."""
    if spell.until is not None and spell.until <= spell.since:
        return RowError(row=row, field="until", words="the customer comes back after going away")
    if spell.until is not None and spell.kind is AbsenceKind.DECEASED:
        return RowError(row=row, field="until", words="leave it empty for a customer who has died")
    overlapping = next((one for one in own if one is not standing and _overlap(one, spell)), None)
    if overlapping is not None:
        words = f"overlaps the spell {_words(overlapping, context)}: end that one first"
        return RowError(row=row, field="since", words=words)
    if standing is not None and not _ends_sooner(spell, standing, now=context.now):
        words = (
            f"the spell {_words(standing, context)} is on record: while it lasts it may end sooner; what follows it is a"
            " spell of its own"
        )
        return RowError(row=row, field="until", words=words)
    return None


def _ends_sooner(spell: Absence, standing: Absence, *, now: datetime) -> bool:
    """Whether the customer of a spell that is open, or was to last beyond now, is back before its end."""
    if spell.until is None:
        return False
    return standing.until is None or (spell.until < standing.until and now < standing.until)


def _overlap(one: Absence, other: Absence) -> bool:
    return (other.until is None or one.since < other.until) and (one.until is None or other.since < one.until)


def _words(spell: Absence, context: Context) -> str:
    zone = context.layout.zone
    until = "" if spell.until is None else f" until {local_words(spell.until, zone=zone)}"
    return f"{spell.kind.value} from {local_words(spell.since, zone=zone)}{until}"


ABSENCES: Final = Absences()
