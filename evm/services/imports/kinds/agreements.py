"""Agreements between a council and a provider: the rate a minute and what pays by itself. Not the money's further terms
(evm.domain.billing.terms reads those)."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from sqlalchemy.orm import Session

from evm.domain.billing.agreement import Agreement, SecondSlot
from evm.domain.billing.terms import AgreementRefused, agreement_of_terms
from evm.domain.evidence import Grade
from evm.services.imports import fields
from evm.services.imports.compare import differences
from evm.services.imports.csv_file import Row, RowError
from evm.services.imports.kind import Context, FieldDef, Taken, read_row, rejected
from evm.services.imports.scope import Scope
from evm.store import money

FIELDS: Final = (
    FieldDef(
        name="agreement",
        required=True,
        words="The agreement's id",
        example="leeds-example-care",
        reader=fields.identifier,
        key=True,
    ),
    FieldDef(name="provider", required=True, words="The provider", example="example-care", reader=fields.identifier),
    FieldDef(
        name="council",
        required=False,
        words="The council; not needed with --council",
        example="leeds",
        reader=fields.identifier,
    ),
    FieldDef(
        name="effective_from", required=True, words="First day", example="2026-04-01", reader=fields.day, key=True
    ),
    FieldDef(
        name="rate_pence_per_minute",
        required=True,
        words="Pence a minute, exact",
        example="45.5",
        reader=fields.exact,
    ),
    FieldDef(
        name="tolerance_minutes",
        required=False,
        words="Minutes above the plan that still pay; 0 if left out",
        example="5",
        reader=fields.whole(least=0, most=240),
    ),
    FieldDef(
        name="second_slot",
        required=False,
        words="presence or overlap; presence if left out",
        example="presence",
        reader=fields.one_of(SecondSlot),
    ),
    FieldDef(
        name="grades_time",
        required=False,
        words="Grades of time that pay by themselves; A; B if left out",
        example="A; B",
        reader=fields.many(fields.one_of(Grade)),
    ),
    FieldDef(
        name="grades_place",
        required=False,
        words="Grades of place that pay by themselves; A; B if left out",
        example="A; B",
        reader=fields.many(fields.one_of(Grade)),
    ),
    FieldDef(
        name="shadow_until",
        required=False,
        words="Before this day verdicts are shown and every claim is paid",
        example="",
        reader=fields.day,
    ),
)


@dataclass(frozen=True, slots=True)
class Agreements:
    name: str = "agreements"
    words: str = "Tariffs by the minute: a row that differs from the version on record is the next version. Councils import them."
    fields: tuple[FieldDef, ...] = FIELDS

    def take(self, session: Session, *, rows: Sequence[Row], context: Context) -> Sequence[Taken]:
        """Check and write the next versions."""
        scope = Scope(session, context)
        standing = money.agreement_versions(session, agreement_ids={row.values["agreement"] for row in rows})
        taken: list[Taken] = []
        new: list[Agreement] = []
        for row in sorted(rows, key=lambda row: row.number):
            values, errors = read_row(row, fields=FIELDS, layout=context.layout)
            if context.provider is not None:
                words = "an agreement is the council's to import: name it with --council, and no --provider"
                errors += (RowError(row=row.number, field="agreement", words=words),)
            provider, wrong = scope.provider(row.number, values)
            council, wrong_too = scope.council(row.number, values)
            if errors or wrong or wrong_too:
                taken.append(rejected(row.number, *errors, *wrong, *wrong_too, subject=row.values["agreement"]))
                continue
            versions = standing.setdefault(values["agreement"], [])
            answer, version = _next(row.number, values, versions, provider=provider, council=council)
            taken.append(answer)
            if version is not None:
                versions.append(version)
                new.append(version)
        money.add_agreements(session, agreements=new)
        return taken

    def finish(self, session: Session, *, context: Context) -> tuple[RowError, ...]:
        """Nothing further: each row stands by itself."""
        del session, context
        return ()


def _next(
    row: int, values: Mapping[str, Any], versions: Sequence[Agreement], *, provider: str, council: str
) -> tuple[Taken, Agreement | None]:
    try:
        wanted = agreement_of_terms(_terms(values, version=len(versions) + 1, provider=provider, council=council))
    except AgreementRefused as refused:
        return rejected(
            row, RowError(row=row, field=refused.field, words=refused.words), subject=values["agreement"]
        ), None
    subject = f"{wanted.agreement_id} version {wanted.version}"
    if not versions:
        return Taken(row=row, outcome="new", subject=subject, words=f"from {wanted.effective_from}"), wanted
    last = versions[-1]
    wrong = ""
    if (last.council, last.provider) != (wanted.council, wanted.provider):
        wrong = f"is the agreement of {last.council} with {last.provider}: choose another id"
    elif wanted.effective_from < last.effective_from:
        wrong = f"version {last.version} is in force from {last.effective_from}: a later one begins no earlier"
    if wrong:
        field = "agreement" if "choose" in wrong else "effective_from"
        return rejected(row, RowError(row=row, field=field, words=wrong), subject=subject), None
    words = differences(replace(last, version=wanted.version, effective_from=wanted.effective_from), wanted)
    if not words:
        return Taken(row=row, outcome="same", subject=last.agreement_id), None
    return Taken(row=row, outcome="changed", subject=subject, words=words), wanted


def _terms(values: Mapping[str, Any], *, version: int, provider: str, council: str) -> dict[str, Any]:
    terms: dict[str, Any] = {
        "agreement_id": values["agreement"],
        "version": version,
        "council": council,
        "provider": provider,
        "effective_from": values["effective_from"],
        "rate_pence_per_minute": str(values["rate_pence_per_minute"]),
    }
    for name in ("tolerance_minutes", "shadow_until"):
        if values.get(name) is not None:
            terms[name] = values[name]
    if values.get("second_slot") is not None:
        terms["second_slot"] = values["second_slot"].value
    for name in ("grades_time", "grades_place"):
        if values.get(name):
            terms[name] = [grade.value for grade in values[name]]
    return terms


AGREEMENTS: Final = Agreements()
