"""Contracts: which provider a council has given a locality to, and when. Not what it is paid (agreements)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy.orm import Session

from evm.domain.ids import LocalityId
from evm.services.contracts import refuse_conflicts, set_contract
from evm.services.imports import fields
from evm.services.imports.compare import differences
from evm.services.imports.csv_file import Row, RowError
from evm.services.imports.kind import Context, FieldDef, Taken, read_row, rejected
from evm.services.imports.naming import id_field
from evm.services.imports.scope import Scope
from evm.services.localities import LocalityRefused


@dataclass(frozen=True, slots=True)
class Contracts:
    """The contracts of a council with its providers."""

    name: str = "contracts"
    words: str = (
        "Contracts of providers for localities; one that is there already takes the file's days. "
        "Once a council keeps contracts, only contracted providers serve its localities."
    )
    fields: tuple[FieldDef, ...] = (
        id_field("contract", "The contract's id", "north-2026"),
        FieldDef(
            name="provider",
            required=True,
            words="Who is commissioned",
            example="example-care",
            reader=fields.identifier,
        ),
        FieldDef(name="locality", required=True, words="Where", example="leeds-north", reader=fields.identifier),
        FieldDef(name="since", required=True, words="The first day", example="2026-04-01", reader=fields.day),
        FieldDef(
            name="until",
            required=False,
            words="The first day after it; empty: open",
            example="2027-04-01",
            reader=fields.day,
        ),
        FieldDef(
            name="exclusive",
            required=True,
            words="yes: nobody else is commissioned there meanwhile; no: others may be",
            example="yes",
            reader=fields.yes_no,
        ),
    )

    def take(self, session: Session, *, rows: Sequence[Row], context: Context) -> Sequence[Taken]:
        """Check and write, row by row."""
        scope = Scope(session, context)
        return [self._take(session, row, context=context, scope=scope) for row in rows]

    def _take(self, session: Session, row: Row, *, context: Context, scope: Scope) -> Taken:
        values, errors = read_row(row, fields=self.fields, layout=context.layout)
        if errors:
            return rejected(row.number, *errors)
        _, wrong = scope.locality(row.number, values["locality"])
        if context.provider is not None:
            words = "contracts are the council's: take them in for a council"
            wrong += (RowError(row=row.number, field="provider", words=words),)
        if wrong:
            return rejected(row.number, *wrong, subject=values["contract"])
        try:
            outcome, before, after = set_contract(
                session,
                contract_id=values["contract"],
                provider_id=values["provider"],
                locality_id=LocalityId(values["locality"]),
                since=values["since"],
                until=values.get("until"),
                exclusive=values["exclusive"],
            )
        except LocalityRefused as refused:
            error = RowError(row=row.number, field=refused.field, words=refused.words)
            return rejected(row.number, error, subject=values["contract"])
        words = f"{after.provider_id} in {after.locality_id}" if outcome == "new" else differences(before, after)
        told: Any = outcome
        return Taken(row=row.number, outcome=told, subject=values["contract"], words=words)

    def finish(self, session: Session, *, context: Context) -> tuple[RowError, ...]:
        """No two contracts exclude each other when all of the file's are set."""
        try:
            refuse_conflicts(session, council_id=context.council)
        except LocalityRefused as refused:
            return (RowError(row=1, field=refused.field, words=refused.words),)
        return ()


CONTRACTS: Final = Contracts()
