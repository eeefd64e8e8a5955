"""Takes one file in from the command line, and answers as data. Not the transaction (api.importing, which the site shares) and not the
words on the terminal (intake_words)."""

import csv
import getpass
import io
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy.exc import IntegrityError, OperationalError

from api import importing
from api.importing import STANDARD, Order
from api.parts import Parts
from evm.domain.ids import CouncilId, ProviderId
from evm.services.imports.csv_file import FileRefused, RowError
from evm.services.imports.fields import CellRefused, day, instant
from evm.services.imports.kind import ImportKind, Taken, standard_layout
from evm.services.imports.layout import LayoutRefused
from evm.services.imports.run import ImportReport
from evm.store import people
from evm.store.imports import ImportRecord


class IntakeRefused(ValueError):  # noqa: N818 -- named for what is wrong
    """The file, or an argument beside it, cannot be used: the sentence that says so."""


def take_in(
    parts: Parts,
    *,
    kind: ImportKind,
    path: Path,
    layout: str | None,
    provider: str | None,
    council: str | None,
    exported_at: str | None,
    dry_run: bool,
    who: str,
    progress: Callable[[int, int], None] | None = None,
) -> ImportReport:
    """Take the file in and commit, if nothing in it is refused and this is no dry run; else everything is as before. Raises
    IntakeRefused."""
    order = Order(
        kind=kind.name,
        layout=layout or STANDARD,
        provider=None if provider is None else ProviderId(provider),
        council=None if council is None else CouncilId(council),
        exported_at=_exported_at(exported_at, parts=parts, kind=kind),
        who=who,
    )
    try:
        _check_scope(parts, order=order)
        return importing.take_in(
            sessions=parts.sessions,
            path=path,
            order=order,
            policy=parts.policy,
            now=parts.clock(),
            dry_run=dry_run,
            progress=progress,
        )
    except LayoutRefused as error:
        raise IntakeRefused(str(error)) from None
    except FileRefused as error:
        raise IntakeRefused(f"{path.name}, {error.field}: {error.words}") from None
    except IntegrityError as error:
        raise IntakeRefused(
            f"what the file names was changed by somebody else meanwhile ({type(error.orig).__name__}); nothing was taken in:"
            " run it again"
        ) from error
    except OperationalError as error:
        raise IntakeRefused(
            f"the database is busy or out of reach ({str(error.orig).strip()}); nothing was taken in: run it again"
        ) from error


def user_name() -> str:
    """Who runs this process."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "command line"


def answer_of(report: ImportReport) -> dict[str, Any]:
    """The report as one JSON object (api/schema/import.json)."""
    return {
        "kind": report.kind,
        "file": report.file_name,
        "sha256": report.sha256,
        "dry_run": report.dry_run,
        "taken_in": report.taken_in,
        "stopped": report.stopped,
        "already": None if report.already is None else record_answer(report.already),
        "rows": report.rows,
        "new": report.new,
        "changed": report.changed,
        "same": report.same,
        "rejected": report.rejected,
        "errors": [_error(error) for error in report.errors],
        "errors_total": report.errors_total,
        "warnings": [_error(error) for error in report.warnings],
        "warnings_total": report.warnings_total,
        "changes": [_change(each) for each in report.changes],
    }


def record_answer(record: ImportRecord) -> dict[str, Any]:
    """A file that was taken in, as JSON."""
    return {
        "kind": record.kind,
        "file": record.file_name,
        "sha256": record.sha256,
        "layout": record.layout,
        "provider": record.provider_id,
        "council": record.council_id,
        "imported_at": record.imported_at.isoformat(),
        "imported_by": record.imported_by,
        "exported_at": None if record.exported_at is None else record.exported_at.isoformat(),
        "rows": record.rows_read,
        "new": record.rows_new,
        "changed": record.rows_changed,
        "same": record.rows_same,
    }


def template_of(kind: ImportKind) -> str:
    """An example file: the header, and one row of examples."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([field.name for field in kind.fields])
    writer.writerow([field.example for field in kind.fields])
    return out.getvalue()


def _error(error: RowError) -> dict[str, Any]:
    return {"row": error.row, "field": error.field, "words": error.words}


def _change(taken: Taken) -> dict[str, Any]:
    return {"row": taken.row, "outcome": taken.outcome, "subject": taken.subject, "words": taken.words}


def _exported_at(text: str | None, *, parts: Parts, kind: ImportKind) -> datetime | None:
    if text is None:
        return None
    local = replace(standard_layout(kind), zone=parts.policy.zone)
    try:
        found = instant(text if len(text) > 10 else f"{day(text, local)} 00:00", local)
    except CellRefused as refused:
        raise IntakeRefused(f"--exported-at: {refused.words}") from None
    if found > parts.clock():
        raise IntakeRefused(f"--exported-at {text} lies in the future: when was the file made?")
    return found


def _check_scope(parts: Parts, *, order: Order) -> None:
    """The provider and council that a file is kept to exist, except where the file is to bring them."""
    with parts.sessions() as session:
        providers = sorted(one.provider_id for one in people.providers(session))
        councils = sorted(one.council_id for one in people.councils(session))
    if order.provider is not None and order.provider not in providers and order.kind != "providers":
        there = ", ".join(providers) or "none"
        raise IntakeRefused(f"there is no provider {order.provider!r} in this database; it knows {there}")
    if order.council is not None and order.council not in councils and order.kind != "councils":
        there = ", ".join(councils) or "none"
        raise IntakeRefused(f"there is no council {order.council!r} in this database; it knows {there}")
