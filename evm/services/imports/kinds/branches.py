"""Branches: providers' offices, with the number that alerts ring. Not who works there."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy.orm import Session

from evm.domain.ids import BranchId
from evm.domain.people import Branch
from evm.services.imports import fields
from evm.services.imports.csv_file import Row, RowError
from evm.services.imports.kind import Context, FieldDef, Taken, read_row, rejected
from evm.services.imports.naming import NAME_FIELD, id_field, outcome_of, sort
from evm.services.imports.scope import Scope
from evm.store import people, people_changes


@dataclass(frozen=True, slots=True)
class Branches:
    """The agencies' offices."""

    name: str = "branches"
    words: str = (
        "Offices of providers, with the number that alerts ring; one that is there already takes what the file says."
    )
    fields: tuple[FieldDef, ...] = (
        id_field("branch", "The branch's id", "example-care-north"),
        FieldDef(
            name="provider",
            required=False,
            words="Whose office; not needed with --provider",
            example="example-care",
            reader=fields.identifier,
        ),
        NAME_FIELD,
        FieldDef(name="phone", required=True, words="Telephone", example="0113 496 0000", reader=fields.phone),
    )

    def take(self, session: Session, *, rows: Sequence[Row], context: Context) -> Sequence[Taken]:
        """Check and write: new ones, and names that changed."""
        known = {one.branch_id: one for one in people.branches(session)}
        scope = Scope(session, context)
        taken: list[Taken] = []
        new: list[Branch] = []
        changed: list[Branch] = []
        for row in rows:
            values, errors = read_row(row, fields=self.fields, layout=context.layout)
            before = known.get(BranchId(values.get("branch", "")))
            provider, wrong = scope.provider(row.number, values, stands=before.provider_id if before else None)
            if errors or wrong:
                taken.append(rejected(row.number, *errors, *wrong))
                continue
            branch = Branch(
                branch_id=BranchId(values["branch"]), provider_id=provider, name=values["name"], phone=values["phone"]
            )
            taken.append(outcome_of(row.number, before, branch, subject=branch.branch_id))
            sort(taken[-1], branch, new, changed)
        people.add_branches(session, branches=new)
        people_changes.change_branches(session, branches=changed)
        return taken

    def finish(self, session: Session, *, context: Context) -> tuple[RowError, ...]:
        """Nothing further: each row stands by itself."""
        del session, context
        return ()


BRANCHES: Final = Branches()
