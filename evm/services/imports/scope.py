"""Whose rows a file may bring: the provider or council it is imported for, and those the database knows. Not accounts and their rights
(api.auth)."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy.orm import Session

from evm.domain.ids import CouncilId, LocalityId, ProviderId
from evm.domain.people import Customer
from evm.services.imports.csv_file import RowError
from evm.services.imports.kind import Context
from evm.store import people

Answer = tuple[Any, tuple[RowError, ...]]


class Scope:
    """The providers, councils and localities there are, and to which of them a file is kept."""

    def __init__(self, session: Session, context: Context) -> None:
        self._context = context
        self.providers = frozenset(one.provider_id for one in people.providers(session))
        self.councils = frozenset(one.council_id for one in people.councils(session))
        self.localities = {one.locality_id: one.council_id for one in people.localities(session)}

    def provider(self, row: int, values: Mapping[str, Any], *, stands: ProviderId | None = None) -> Answer:
        """The row's provider: its column, else the file's, else that of the record that stands. A record of another provider, and a
        provider that is unknown, are errors: nobody brings people of others (the other is not named to one provider's file)."""
        own = self._context.provider
        named = values.get("provider") or own or stands
        if named is None:
            return None, (
                RowError(row=row, field="provider", words="is missing: fill the column or name one with --provider"),
            )
        if own is not None and named != own:
            return None, (
                RowError(row=row, field="provider", words=f"this file is imported for {own} only, not for {named}"),
            )
        if named not in self.providers:
            return None, (
                RowError(row=row, field="provider", words=f"there is no provider {named!r}: import providers first"),
            )
        if stands is not None and stands != named:
            whose = "another provider's" if own is not None else f"{stands}'s"
            words = f"this id is {whose} already: use one of your own; passing to another provider is `popback provider`'s to do"
            return None, (RowError(row=row, field="provider", words=words),)
        return ProviderId(named), ()

    def council(self, row: int, values: Mapping[str, Any], *, stands: CouncilId | None = None) -> Answer:
        """The row's council, in the same way."""
        own = self._context.council
        named = values.get("council") or own or stands
        if named is None:
            return None, (
                RowError(row=row, field="council", words="is missing: fill the column or name one with --council"),
            )
        if own is not None and named != own:
            return None, (
                RowError(row=row, field="council", words=f"this file is imported for {own} only, not for {named}"),
            )
        if named not in self.councils:
            return None, (
                RowError(row=row, field="council", words=f"there is no council {named!r}: import councils first"),
            )
        return CouncilId(named), ()

    def locality(self, row: int, named: str) -> tuple[LocalityId | None, tuple[RowError, ...]]:
        """A locality that the file names."""
        council = self._context.council
        if named not in self.localities or council not in {None, self.localities[LocalityId(named)]}:
            return None, (RowError(row=row, field="locality", words=f"there is no locality {named!r}"),)
        return LocalityId(named), ()

    def missing(self, row: int, named: str, customer: Customer | None) -> tuple[RowError, ...]:
        """A customer who is not there, or not this provider's or council's (which is the same to their file), is an error."""
        own, council = self._context.provider, self._context.council
        if (
            customer is not None
            and own in {None, customer.provider_id}
            and council in {None, self.localities.get(customer.locality_id)}
        ):
            return ()
        return (
            RowError(row=row, field="customer", words=f"there is no customer {named[:40]!r}: import customers first"),
        )
