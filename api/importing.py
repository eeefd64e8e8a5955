"""Takes one uploaded file in, or looks at what that would do: what the import page and its programs' door share. Not the queue of uploads
(api.import_desk) and not the kinds of file (evm.services.imports)."""

import re
import unicodedata
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from sqlalchemy.orm import Session, sessionmaker

from api.auth import Viewer
from evm.domain.ids import CouncilId, ProviderId
from evm.domain.policy import Policy
from evm.services.imports.csv_file import FileRefused, RowError, open_csv
from evm.services.imports.kind import Context, ImportKind, standard_layout
from evm.services.imports.kinds import KINDS
from evm.services.imports.layout import LayoutRefused, layout_named, layout_names
from evm.services.imports.run import ImportReport, import_file
from evm.store.accounts import Role
from evm.store.trial_copies import to_try_on

UPLOAD_BYTES_MAX: Final = 10 * 2**20
SHOWN_MAX: Final = 100
FILE_NAME_CHARACTERS_MAX: Final = 100
STANDARD: Final = "standard"
"""The layout whose columns are named as ours."""
KINDS_OF: Final[Mapping[Role, frozenset[str]]] = {
    Role.BRANCH: frozenset({"branches", "customers", "next_of_kin", "workers", "task_plans", "absences", "refs"}),
    Role.COMMISSIONER: frozenset({"packages", "agreements", "refs", "claim", "localities", "contracts"}),
}
"""What each role takes in, of its own provider or council; an administrator takes in everything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """What is to be done with a file: as what it is read, for whom, by whom."""

    kind: str
    layout: str
    provider: ProviderId | None
    council: CouncilId | None
    exported_at: datetime | None
    who: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A kind of file with a layout it may come in."""

    kind: ImportKind
    layout: str

    @property
    def value(self) -> str:
        return f"{self.kind.name}:{self.layout}"


def choices_for(viewer: Viewer) -> tuple[Choice, ...]:
    """What the viewer may take in: kinds in the order of the registry, each with its packaged layouts. Nothing for an account that was
    given no scope: its files would be kept to nobody, and so reach everybody. Nothing for one of a single locality, either: a file is
    kept to a whole provider or council."""
    if viewer.scope.nothing or is_of_one_locality(viewer):
        return ()
    allowed = KINDS_OF.get(viewer.account.role)
    return tuple(
        Choice(kind=kind, layout=layout)
        for kind in KINDS
        if viewer.account.role is Role.ADMIN or (allowed is not None and kind.name in allowed)
        for layout in layouts_of(kind.name)
    )


def is_of_one_locality(viewer: Viewer) -> bool:
    """Whether the account is held to a locality, while files reach further."""
    return viewer.account.role is not Role.ADMIN and viewer.scope.locality_id is not None


@lru_cache(maxsize=64)
def layouts_of(kind: str) -> tuple[str, ...]:
    """The layouts of a kind: its standard one, then those that are packaged."""
    found = [STANDARD]
    for name in layout_names():
        try:
            found.append(layout_named(name=name, kind=kind).name)
        except LayoutRefused:
            continue  # a layout of another kind
    return tuple(found)


def kind_named(name: str) -> ImportKind:
    """The kind of that name; the caller has chosen it from `choices_for`."""
    return next(kind for kind in KINDS if kind.name == name)


def is_kind(name: str) -> bool:
    """Whether there is a kind of that name at all."""
    return any(kind.name == name for kind in KINDS)


def safe_name(name: str | None) -> str:
    """A file name as a browser gave it, without folders and without what could disguise it."""
    last = re.split(r"[/\\]", name or "")[-1]
    kept = "".join(sign for sign in last if unicodedata.category(sign)[0] != "C").strip(" .")
    return kept[-FILE_NAME_CHARACTERS_MAX:] or "file.csv"


def take_in(
    *,
    sessions: sessionmaker[Session],
    path: Path,
    order: Order,
    policy: Policy,
    now: datetime,
    dry_run: bool,
    progress: Callable[[int, int], None] | None = None,
    stop: Callable[[], bool] | None = None,
    before_commit: Callable[[Session, ImportReport], bool] | None = None,
) -> ImportReport:
    """Check the file, and unless `dry_run` (which holds up no other writer) or anything is wrong with it, commit.

    `before_commit` writes what must stand or fall with it; False from it rolls everything back. Raises FileRefused, LayoutRefused."""
    kind = kind_named(order.kind)
    layout = standard_layout(kind) if order.layout == STANDARD else layout_named(name=order.layout, kind=kind.name)
    file = open_csv(path=path, layout=layout, bytes_max=UPLOAD_BYTES_MAX)
    context = Context(
        now=now,
        policy=policy,
        layout=layout,
        who=order.who,
        provider=order.provider,
        council=order.council,
        exported_at=order.exported_at,
        file_sha256=file.sha256,
    )
    with ExitStack() as opened:
        trying = opened.enter_context(to_try_on(sessions)) if dry_run else sessions
        session = opened.enter_context(trying())
        report = import_file(
            session,
            kind=kind,
            file=file,
            context=context,
            dry_run=dry_run,
            progress=progress,
            stop=stop,
        )
        if report.taken_in and (before_commit is None or before_commit(session, report)):
            session.commit()
        else:
            session.rollback()
    return report


def report_body(report: ImportReport) -> dict[str, Any]:
    """A report as JSON: counts, and the first of what is wrong and of what changes."""
    return {
        "kind": report.kind,
        "file_name": report.file_name,
        "sha256": report.sha256,
        "rows": report.rows,
        "new": report.new,
        "changed": report.changed,
        "same": report.same,
        "rejected": report.rejected,
        "errors_total": report.errors_total,
        "warnings_total": report.warnings_total,
        "errors": [_error(each) for each in report.errors[:SHOWN_MAX]],
        "warnings": [_error(each) for each in report.warnings[:SHOWN_MAX]],
        "changes": [
            {"row": each.row, "outcome": each.outcome, "subject": each.subject, "words": each.words}
            for each in report.changes[:SHOWN_MAX]
        ],
        "already_at": None if report.already is None else report.already.imported_at.isoformat(),
        "already_by": None if report.already is None else report.already.imported_by,
    }


def _error(error: RowError) -> dict[str, Any]:
    return {"row": error.row, "field": error.field, "words": error.words}


__all__ = [
    "KINDS_OF",
    "SHOWN_MAX",
    "STANDARD",
    "UPLOAD_BYTES_MAX",
    "Choice",
    "FileRefused",
    "ImportReport",
    "LayoutRefused",
    "Order",
    "choices_for",
    "is_kind",
    "kind_named",
    "layouts_of",
    "report_body",
    "safe_name",
    "take_in",
]
