"""Changes to councils, providers, branches, customers and care workers that are there, by id. Not their reading (people) and never
history: what a past visit showed is kept with the visit."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Table, bindparam, delete, insert, select, update
from sqlalchemy.orm import Session

from evm.domain.ids import CustomerId, ProviderId, WorkerId
from evm.domain.people import Branch, CareWorker, Council, Customer, Provider
from evm.store.people_rows import customer_values, worker_values
from evm.store.tables import people as t

IDS_A_STATEMENT = 500


def change_councils(session: Session, *, councils: Sequence[Council]) -> None:
    """Overwrite the names of councils that are there."""
    _overwrite(session, t.councils, "council_id", [{"council_id": c.council_id, "name": c.name} for c in councils])


def change_providers(session: Session, *, providers: Sequence[Provider]) -> None:
    """Overwrite the names of providers that are there."""
    rows = [{"provider_id": p.provider_id, "name": p.name} for p in providers]
    _overwrite(session, t.providers, "provider_id", rows)


def change_branches(session: Session, *, branches: Sequence[Branch]) -> None:
    """Overwrite branches that are there."""
    rows = [
        {"branch_id": b.branch_id, "provider_id": b.provider_id, "name": b.name, "phone": b.phone} for b in branches
    ]
    _overwrite(session, t.branches, "branch_id", rows)


def change_customers(session: Session, *, customers: Sequence[Customer]) -> None:
    """Overwrite customers that are there, with their landlines and tags."""
    _overwrite(session, t.customers, "customer_id", [customer_values(c) for c in customers])
    ids = [c.customer_id for c in customers]
    for since in range(0, len(ids), IDS_A_STATEMENT):
        chunk = ids[since : since + IDS_A_STATEMENT]
        for table in (t.customer_landlines, t.customer_tags):
            session.execute(delete(table).where(table.c.customer_id.in_(chunk)))
    lines = [{"customer_id": c.customer_id, "line": line} for c in customers for line in c.landlines]
    tags = [{"customer_id": c.customer_id, "tag": tag} for c in customers for tag in c.tags]
    for table, rows in ((t.customer_landlines, lines), (t.customer_tags, tags)):
        if rows:
            session.execute(insert(table), rows)


def change_next_of_kin(session: Session, *, kin: Mapping[CustomerId, tuple[str | None, str | None]]) -> None:
    """Overwrite whom to ring about these customers: name and telephone number."""
    rows = [
        {"customer_id": customer_id, "next_of_kin_name": name, "next_of_kin_phone": phone}
        for customer_id, (name, phone) in sorted(kin.items())
    ]
    _overwrite(session, t.customers, "customer_id", rows)


def change_workers(session: Session, *, workers: Sequence[CareWorker]) -> None:
    """Overwrite care workers that are there."""
    _overwrite(session, t.care_workers, "worker_id", [worker_values(w) for w in workers])


def _overwrite(session: Session, table: Table, key: str, rows: Sequence[dict[str, Any]]) -> None:
    if not rows:
        return
    values: dict[str, Any] = {name: bindparam(f"new_{name}") for name in rows[0] if name != key}
    statement = update(table).where(table.c[key] == bindparam("the_id")).values(values)
    session.connection().execute(
        statement,
        [{"the_id": row[key], **{f"new_{name}": value for name, value in row.items() if name != key}} for row in rows],
    )


def customers_of_nhs_numbers(session: Session, *, numbers: Collection[str]) -> dict[str, CustomerId]:
    """Whose each known NHS number (ten digits) is."""
    c = t.customers.c
    query = select(c.nhs_number, c.customer_id).where(c.nhs_number.in_(sorted(set(numbers))))
    return {r.nhs_number: CustomerId(r.customer_id) for r in (session.execute(query) if numbers else ())}


def workers_by_dialling(
    session: Session, *, numbers: Collection[str], pins: Collection[str]
) -> tuple[dict[str, WorkerId], dict[tuple[ProviderId, str], WorkerId]]:
    """Which care workers ring these numbers, and who of each provider types these PINs."""
    c = t.care_workers.c
    dialled = select(c.dialled_number, c.worker_id).where(c.dialled_number.in_(sorted(set(numbers))))
    typed = select(c.provider_id, c.pin, c.worker_id).where(c.pin.in_(sorted(set(pins))))
    return (
        {r.dialled_number: WorkerId(r.worker_id) for r in (session.execute(dialled) if numbers else ())},
        {(ProviderId(r.provider_id), r.pin): WorkerId(r.worker_id) for r in (session.execute(typed) if pins else ())},
    )
