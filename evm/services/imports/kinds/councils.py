"""Councils: who commissions care. Not what they may see or do."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy.orm import Session

from evm.domain.ids import CouncilId
from evm.domain.people import Council
from evm.services.imports.csv_file import Row, RowError
from evm.services.imports.kind import Context, FieldDef, Taken, read_row, rejected
from evm.services.imports.naming import NAME_FIELD, id_field, not_of, outcome_of, sort
from evm.store import people, people_changes


@dataclass(frozen=True, slots=True)
class Councils:
    """The commissioners."""

    name: str = "councils"
    words: str = "Councils that commission care; a council that is there already takes the file's name."
    fields: tuple[FieldDef, ...] = (id_field("council", "The council's id", "leeds"), NAME_FIELD)

    def take(self, session: Session, *, rows: Sequence[Row], context: Context) -> Sequence[Taken]:
        """Check and write: new ones, and names that changed."""
        known = {one.council_id: one for one in people.councils(session)}
        taken: list[Taken] = []
        new: list[Council] = []
        changed: list[Council] = []
        for row in rows:
            values, errors = read_row(row, fields=self.fields, layout=context.layout)
            errors += not_of(row, values, "council", context.council)
            if errors:
                taken.append(rejected(row.number, *errors))
                continue
            council = Council(council_id=CouncilId(values["council"]), name=values["name"])
            taken.append(outcome_of(row.number, known.get(council.council_id), council, subject=council.council_id))
            sort(taken[-1], council, new, changed)
        people.add_councils(session, councils=new)
        people_changes.change_councils(session, councils=changed)
        return taken

    def finish(self, session: Session, *, context: Context) -> tuple[RowError, ...]:
        """Nothing further: each row stands by itself."""
        del session, context
        return ()


COUNCILS: Final = Councils()
