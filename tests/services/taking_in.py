"""Takes the text of a file in as a test's import would, whole or as a dry run. Not a test."""

from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from evm.domain.ids import CouncilId, ProviderId
from evm.domain.policy import Policy
from evm.services.imports.csv_file import open_csv
from evm.services.imports.kind import Context, ImportKind, standard_layout
from evm.services.imports.layout import Layout, layout_named
from evm.services.imports.run import ImportReport, import_file


def take_in(
    session: Session,
    *,
    kind: ImportKind,
    words: str,
    folder: Path,
    now: datetime,
    layout: Layout | str | None = None,
    dry_run: bool = False,
    council: str | None = None,
    provider: str | None = None,
    exported_at: datetime | None = None,
    **file: Any,
) -> ImportReport:
    """The report; what was written stands if it was taken in, and is rolled back otherwise."""
    chosen = layout if isinstance(layout, Layout) else standard_layout(kind)
    if isinstance(layout, str):
        chosen = layout_named(name=layout, kind=kind.name)
    path = folder / f"{kind.name}.csv"
    path.write_text(words, encoding="utf-8", newline="")
    found = open_csv(path=path, layout=chosen, **file)
    context = Context(
        now=now,
        policy=Policy(),
        layout=chosen,
        who="an officer",
        provider=None if provider is None else ProviderId(provider),
        council=None if council is None else CouncilId(council),
        exported_at=exported_at,
        file_sha256=found.sha256,
    )
    session.commit()
    report = import_file(session, kind=kind, file=found, context=context, dry_run=dry_run)
    if report.taken_in:
        session.commit()
    else:
        session.rollback()
    return report
