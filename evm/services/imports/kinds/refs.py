"""The kind of file `refs`: what another system calls our providers, customers and workers, and which workers are one human being.
Not those records themselves (customers, workers)."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy.orm import Session

from evm.domain.ids import WorkerId
from evm.services.imports.csv_file import Row, RowError
from evm.services.imports.fields import identifier, one_of, text
from evm.services.imports.kind import Context, FieldDef, Taken, read_row, rejected
from evm.store import feeds
from evm.store.feeds import RefKind

REF_LENGTH_MAX: Final = 80


def person_digest(ref: str) -> str:
    """What is kept of a person's reference (a payroll or National Insurance number): never the number itself."""
    return hashlib.sha256(f"popback person|{''.join(ref.upper().split())}".encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Refs:
    """See the module."""

    name: str = "refs"
    words: str = (
        "What another system calls a provider, customer or worker of ours, one a row. Kind person: a reference of the human being a worker "
        "is, kept as a digest, so that one person with two providers is seen."
    )
    fields: tuple[FieldDef, ...] = (
        FieldDef(name="system", required=True, words="The other system", example="abacus", reader=identifier),
        FieldDef(
            name="kind",
            required=True,
            words="provider, customer, worker or person",
            example="customer",
            reader=one_of(RefKind),
        ),
        FieldDef(
            name="ref", required=True, words="What it calls them", example="SU0042", reader=text(max=REF_LENGTH_MAX)
        ),
        FieldDef(name="our_id", required=True, words="Our id", example="c-067", reader=identifier),
    )

    def take(self, session: Session, *, rows: Sequence[Row], context: Context) -> Sequence[Taken]:
        """Check and write; a reference stated again with another id is changed."""
        read = [(row, *read_row(row, fields=self.fields, layout=context.layout)) for row in rows]
        owner = context.provider or context.council
        if owner is None:
            words = "whose system this is must be said: give --council or --provider"
            return [rejected(row.number, RowError(row=row.number, field="system", words=words)) for row in rows]
        good = [(row, values) for row, values, errors in read if not errors]
        known = {kind: self._known(session, kind, good, context) for kind in RefKind}
        before = self._before(session, owner, good)
        taken = [self._taken(row, values, errors, known, before) for row, values, errors in read]
        self._write(
            session,
            owner,
            [values for (_, values, _), each in zip(read, taken, strict=True) if each.outcome in {"new", "changed"}],
            context,
        )
        return taken

    def finish(self, session: Session, *, context: Context) -> tuple[RowError, ...]:
        """Nothing that only the whole file shows."""
        del session, context
        return ()

    def _known(
        self, session: Session, kind: RefKind, good: Sequence[tuple[Row, Mapping[str, Any]]], context: Context
    ) -> frozenset[str]:
        ids = {values["our_id"] for _, values in good if values["kind"] is kind}
        council = context.council if context.provider is None else None
        return feeds.known_ids(session, kind=kind, ids=ids, provider_id=context.provider, council_id=council)

    def _before(
        self, session: Session, owner: str, good: Sequence[tuple[Row, Mapping[str, Any]]]
    ) -> dict[tuple[str, RefKind, str], str]:
        before: dict[tuple[str, RefKind, str], str] = {}
        for system, kind in {(values["system"], values["kind"]) for _, values in good}:
            wanted = {values["ref"] for _, values in good if (values["system"], values["kind"]) == (system, kind)}
            found = feeds.refs(session, owner_id=owner, system=system, kind=kind, among=wanted)
            before.update(((system, kind, ref), ours) for ref, ours in found.items())
        workers = {WorkerId(values["our_id"]) for _, values in good if values["kind"] is RefKind.PERSON}
        before.update(
            (("", RefKind.PERSON, worker), digest)
            for worker, digest in feeds.persons(session, worker_ids=workers).items()
        )
        return before

    def _taken(
        self,
        row: Row,
        values: Mapping[str, Any],
        errors: tuple[RowError, ...],
        known: Mapping[RefKind, frozenset[str]],
        before: Mapping[tuple[str, RefKind, str], str],
    ) -> Taken:
        if errors:
            return rejected(row.number, *errors)
        kind, ours = values["kind"], values["our_id"]
        if ours not in known[kind]:
            noun = "worker" if kind is RefKind.PERSON else kind.value
            words = f"{ours!r} is no {noun} of this file's provider or council; take the {noun}s in first"
            return rejected(row.number, RowError(row=row.number, field="our_id", words=words), subject=ours)
        stated = person_digest(values["ref"]) if kind is RefKind.PERSON else ours
        key = ("", kind, ours) if kind is RefKind.PERSON else (values["system"], kind, values["ref"])
        old = before.get(key)
        if old == stated:
            return Taken(row=row.number, outcome="same", subject=ours)
        if old is None:
            return Taken(row=row.number, outcome="new", subject=ours, words=f"{kind.value} of {values['system']}")
        words = "another person" if kind is RefKind.PERSON else f"{values['ref']}: {old} → {ours}"
        return Taken(row=row.number, outcome="changed", subject=ours, words=words)

    def _write(self, session: Session, owner: str, some: Sequence[Mapping[str, Any]], context: Context) -> None:
        for system, kind in sorted({(values["system"], values["kind"]) for values in some}):
            wanted = [values for values in some if (values["system"], values["kind"]) == (system, kind)]
            if kind is RefKind.PERSON:
                digests = {WorkerId(values["our_id"]): person_digest(values["ref"]) for values in wanted}
                feeds.set_persons(session, persons=digests, now=context.now)
            else:
                stated = {values["ref"]: values["our_id"] for values in wanted}
                feeds.set_refs(session, owner_id=owner, system=system, kind=kind, refs=stated, now=context.now)


REFS: Final = Refs()
