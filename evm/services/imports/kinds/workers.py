"""Care workers: where they set out from, what they can do and until when, when they are available. Not their rosters and not their
devices."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy.orm import Session

from evm.domain.ids import ProviderId, WorkerId
from evm.domain.people import CareWorker, Gender, TravelMode
from evm.services.imports import availability, fields
from evm.services.imports.compare import settled
from evm.services.imports.csv_file import Row, RowError
from evm.services.imports.kind import Context, FieldDef, Taken, read_row, rejected
from evm.services.imports.placing import Placing, Standing
from evm.services.imports.scope import Scope
from evm.store import people, people_changes

NAME_CHARACTERS_MAX: Final = 120

FIELDS: Final = (
    FieldDef(
        name="worker", required=True, words="The care worker's id", example="w-0001", reader=fields.identifier, key=True
    ),
    FieldDef(
        name="provider",
        required=False,
        words="Who employs them; not needed with --provider",
        example="example-care",
        reader=fields.identifier,
    ),
    FieldDef(
        name="locality",
        required=False,
        words="Where they work; left out, it follows from the position or postcode",
        example="",
        reader=fields.identifier,
    ),
    FieldDef(
        name="name", required=True, words="Name", example="Cy Example", reader=fields.text(max=NAME_CHARACTERS_MAX)
    ),
    FieldDef(
        name="postcode",
        required=False,
        words="Where they set out from, unless latitude and longitude say so; it is not kept",
        example="LS1 4AP",
        reader=fields.postcode,
    ),
    FieldDef(
        name="latitude",
        required=False,
        words="Degrees (WGS 84)",
        example="53.7997",
        reader=fields.number(least=49, most=61),
    ),
    FieldDef(
        name="longitude",
        required=False,
        words="Degrees (WGS 84)",
        example="-1.5492",
        reader=fields.number(least=-9, most=2.1),
    ),
    FieldDef(name="gender", required=True, words="female, male, other", example="female", reader=fields.one_of(Gender)),
    FieldDef(name="phone", required=False, words="Telephone", example="07700 900001", reader=fields.phone),
    FieldDef(
        name="mode",
        required=False,
        words="How they travel: walk, cycle, car, bus; car if left out",
        example="car",
        reader=fields.one_of(TravelMode),
    ),
    FieldDef(
        name="languages",
        required=False,
        words="Codes separated by semicolons; en if left out",
        example="en; pa",
        reader=fields.many(fields.language),
    ),
    FieldDef(
        name="skills",
        required=False,
        words="Lasting skills, separated by semicolons",
        example="hoist; peg",
        reader=fields.many(fields.skill),
    ),
    FieldDef(
        name="training",
        required=False,
        words="Skills with their last day",
        example="medication until 2027-03-31",
        reader=availability.training,
    ),
    FieldDef(
        name="availability",
        required=False,
        words="Weekly shifts in local time",
        example="Mon-Fri 07:00-14:00; Sat 08:00-12:00",
        reader=availability.availability,
    ),
    FieldDef(
        name="leave",
        required=False,
        words="Days off and spells of them",
        example="2026-12-24; 2026-12-27..2026-12-31",
        reader=availability.leave,
    ),
    FieldDef(
        name="dialled_number",
        required=False,
        words="The provider's number that this worker rings to check in from a landline",
        example="0113 496 0100",
        reader=fields.phone,
    ),
    FieldDef(
        name="pin", required=False, words="The code typed there instead", example="0042", reader=fields.digits(most=12)
    ),
    FieldDef(
        name="hours_day_max",
        required=False,
        words="At most so many hours a day; 12 if left out",
        example="10",
        reader=fields.whole(least=1, most=24),
    ),
    FieldDef(
        name="hours_week_max",
        required=False,
        words="At most so many hours a week; 48 if left out",
        example="40",
        reader=fields.whole(least=1, most=100),
    ),
)
SETS: Final = ("languages", "skills")
LISTS: Final = {"training": "training", "availability": "shifts", "leave": "leave"}
PLAIN: Final = ("name", "gender", "phone", "dialled_number", "pin")
DEFAULTED: Final = ("mode", "hours_day_max", "hours_week_max")
"""Columns of which an empty cell means the usual."""


@dataclass(frozen=True, slots=True)
class Workers:
    name: str = "workers"
    words: str = "Care workers. One who is there already takes what the file says; one the file does not name stays."
    fields: tuple[FieldDef, ...] = FIELDS

    def take(self, session: Session, *, rows: Sequence[Row], context: Context) -> Sequence[Taken]:
        """Check and write: new care workers, and changes to those that are there."""
        chunk = _Chunk(session, rows=rows, context=context)
        taken = [chunk.take(row) for row in rows]
        people.add_workers(session, workers=chunk.new)
        people_changes.change_workers(session, workers=chunk.changed)
        return taken

    def finish(self, session: Session, *, context: Context) -> tuple[RowError, ...]:
        """Nothing further: each row stands by itself."""
        del session, context
        return ()


class _Chunk:
    """What the database knows about the rows of a chunk, and what they make of it."""

    def __init__(self, session: Session, *, rows: Sequence[Row], context: Context) -> None:
        self._context = context
        self._scope = Scope(session, context)
        self._placing = Placing(session, rows=rows, context=context, scope=self._scope)
        ids = [WorkerId(row.values["worker"]) for row in rows]
        self._known = {one.worker_id: one for one in people.workers(session, worker_ids=ids)}
        numbers = {_number(row, context) for row in rows} - {None}
        self._rings, self._types = people_changes.workers_by_dialling(
            session,
            numbers=[number for number in numbers if number is not None],
            pins={row.values.get("pin", "") for row in rows} - {""},
        )
        self.new: list[CareWorker] = []
        self.changed: list[CareWorker] = []

    def take(self, row: Row) -> Taken:
        values, errors = read_row(row, fields=FIELDS, layout=self._context.layout)
        before = self._known.get(WorkerId(values.get("worker", "")))
        provider, wrong = self._scope.provider(row.number, values, stands=before.provider_id if before else None)
        if errors or wrong:
            return rejected(row.number, *errors, *wrong, subject=row.values["worker"])
        standing = Standing() if before is None else Standing(home=before.home, locality=before.locality_id)
        placed = self._placing.place(row.number, values, standing=standing)
        problems = (*placed.errors, *self._clashes(row.number, values, provider))
        if placed.home is None or placed.locality is None or any(not error.warning for error in problems):
            return rejected(row.number, *problems, subject=values["worker"])
        after = _worker(values, before, {"home": placed.home, "locality_id": placed.locality, "provider_id": provider})
        return self._settled(row.number, before, after, problems)

    def _settled(self, row: int, before: CareWorker | None, after: CareWorker, warnings: tuple[RowError, ...]) -> Taken:
        if after.dialled_number is not None:
            self._rings[after.dialled_number] = after.worker_id
        if after.pin is not None:
            self._types[after.provider_id, after.pin] = after.worker_id
        taken = settled(before, after, row=row, subject=after.worker_id, name=after.name, errors=warnings)
        if taken.outcome != "same":
            (self.new if before is None else self.changed).append(after)
        return taken

    def _clashes(self, row: int, values: Mapping[str, Any], provider: ProviderId) -> tuple[RowError, ...]:
        """A number or PIN stands for one care worker: what is rung or typed must name nobody else."""
        own, found = values["worker"], []
        number, pin = values.get("dialled_number"), values.get("pin")
        if number is not None and self._rings.get(number, own) != own:
            found.append(
                RowError(row=row, field="dialled_number", words="stands for another care worker: give each their own")
            )
        if pin is not None and self._types.get((provider, pin), own) != own:
            found.append(RowError(row=row, field="pin", words="is another care worker's: give each their own"))
        return tuple(found)


def _number(row: Row, context: Context) -> str | None:
    text = row.values.get("dialled_number", "")
    try:
        return fields.phone(text, context.layout) if text else None
    except fields.CellRefused:
        return None  # `read_row` says so on the row


def _worker(values: Mapping[str, Any], before: CareWorker | None, found: Mapping[str, Any]) -> CareWorker:
    """The worker as the row has it: columns the file leaves out keep what stands, empty cells empty it."""
    said: dict[str, Any] = dict(found)
    said |= {name: values[name] for name in PLAIN if name in values}
    said |= {name: frozenset(values[name]) for name in SETS if values.get(name) is not None}
    said |= {LISTS[name]: values[name] or () for name in LISTS if name in values}
    said |= {name: values[name] for name in DEFAULTED if values.get(name) is not None}
    if "skills" in values and values["skills"] is None:
        said["skills"] = frozenset()
    if before is not None:
        return replace(before, **said)
    return CareWorker(worker_id=WorkerId(values["worker"]), **said)


WORKERS: Final = Workers()
