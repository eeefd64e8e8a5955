"""Localities: areas a council commissions by, with their outward codes. Not their polygons (`popback locality polygons`)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy.orm import Session

from evm.domain.ids import LocalityId
from evm.services.imports import fields
from evm.services.imports.compare import differences
from evm.services.imports.csv_file import Row, RowError
from evm.services.imports.kind import Context, FieldDef, Taken, read_row, rejected
from evm.services.imports.naming import NAME_FIELD, id_field
from evm.services.imports.scope import Scope
from evm.services.localities import LocalityRefused, refuse_twice_claimed, set_locality
from evm.store import areas, people

CODE_CHARACTERS_MAX: Final = 8


@dataclass(frozen=True, slots=True)
class Localities:
    """The areas of a council."""

    name: str = "localities"
    words: str = "Localities of a council with their outward codes; customers change theirs only by `popback locality place-customers`."
    fields: tuple[FieldDef, ...] = (
        id_field("locality", "The locality's id", "leeds-north"),
        FieldDef(
            name="council",
            required=False,
            words="Whose locality; not needed with --council",
            example="leeds",
            reader=fields.identifier,
        ),
        NAME_FIELD,
        FieldDef(
            name="outward_codes",
            required=False,
            words="Outward codes, with semicolons between; empty: none",
            example="LS6;LS7",
            reader=fields.many(fields.text(max=CODE_CHARACTERS_MAX)),
        ),
    )

    def take(self, session: Session, *, rows: Sequence[Row], context: Context) -> Sequence[Taken]:
        """Check and write, row by row: a locality that is there takes the file's name and codes."""
        scope = Scope(session, context)
        return [self._take(session, row, context=context, scope=scope) for row in rows]

    def _take(self, session: Session, row: Row, *, context: Context, scope: Scope) -> Taken:
        values, errors = read_row(row, fields=self.fields, layout=context.layout)
        before = areas.locality(session, locality_id=LocalityId(values.get("locality") or ""))
        council, wrong = scope.council(row.number, values, stands=before.council_id if before else None)
        if errors or wrong:
            return rejected(row.number, *errors, *wrong)
        try:
            outcome: Any = set_locality(
                session,
                locality_id=values["locality"],
                council_id=council,
                name=values["name"],
                outward_codes=_codes(values),
                among_others=True,
            )
        except LocalityRefused as refused:
            error = RowError(row=row.number, field=refused.field, words=refused.words)
            return rejected(row.number, error, subject=values["locality"])
        after = areas.locality(session, locality_id=LocalityId(values["locality"]))
        words = values["name"] if before is None else differences(before, after)
        return Taken(row=row.number, outcome=outcome, subject=values["locality"], words=words)

    def finish(self, session: Session, *, context: Context) -> tuple[RowError, ...]:
        """No outward code is left to two localities of one council."""
        councils = (
            [one.council_id for one in people.councils(session)] if context.council is None else [context.council]
        )
        found = []
        for council in councils:
            try:
                refuse_twice_claimed(session, council_id=council)
            except LocalityRefused as refused:
                found.append(RowError(row=1, field=refused.field, words=refused.words))
        return tuple(found)


def _codes(values: dict[str, Any]) -> tuple[str, ...] | None:
    """None: the file has no such column, and what stands is kept."""
    return (values["outward_codes"] or ()) if "outward_codes" in values else None


LOCALITIES: Final = Localities()
