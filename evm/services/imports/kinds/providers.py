"""Providers: the registered agencies. Not their offices (branches)."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy.orm import Session

from evm.domain.ids import ProviderId
from evm.domain.people import Provider
from evm.services.imports.csv_file import Row, RowError
from evm.services.imports.kind import Context, FieldDef, Taken, read_row, rejected
from evm.services.imports.naming import NAME_FIELD, id_field, not_of, outcome_of, sort
from evm.store import people, people_changes


@dataclass(frozen=True, slots=True)
class Providers:
    """The agencies."""

    name: str = "providers"
    words: str = "Registered agencies; a provider that is there already takes the file's name."
    fields: tuple[FieldDef, ...] = (id_field("provider", "The provider's id", "example-care"), NAME_FIELD)

    def take(self, session: Session, *, rows: Sequence[Row], context: Context) -> Sequence[Taken]:
        """Check and write: new ones, and names that changed."""
        known = {one.provider_id: one for one in people.providers(session)}
        taken: list[Taken] = []
        new: list[Provider] = []
        changed: list[Provider] = []
        for row in rows:
            values, errors = read_row(row, fields=self.fields, layout=context.layout)
            errors += not_of(row, values, "provider", context.provider)
            if errors:
                taken.append(rejected(row.number, *errors))
                continue
            provider = Provider(provider_id=ProviderId(values["provider"]), name=values["name"])
            taken.append(
                outcome_of(row.number, known.get(provider.provider_id), provider, subject=provider.provider_id)
            )
            sort(taken[-1], provider, new, changed)
        people.add_providers(session, providers=new)
        people_changes.change_providers(session, providers=changed)
        return taken

    def finish(self, session: Session, *, context: Context) -> tuple[RowError, ...]:
        """Nothing further: each row stands by itself."""
        del session, context
        return ()


PROVIDERS: Final = Providers()
