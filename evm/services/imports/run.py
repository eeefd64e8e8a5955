"""Takes a whole file in, or shows what taking it in would do: the same code for both, all of it or nothing. Not the reading of files
(csv_file) and not what rows mean (kinds).

The caller owns the transaction: it commits only when `ImportReport.taken_in`, and rolls back otherwise, so that a dry run, a refused row, a
stop and a crash each leave what was there before (bad-input 70, 71, 74)."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy.orm import Session

from evm.services.imports.csv_file import CsvFile, FileRefused, Row, RowError
from evm.services.imports.kind import Context, Covering, FieldDef, ImportKind, Taken, check_layout
from evm.services.imports.layout import Layout
from evm.store import imports
from evm.store.imports import ImportRecord

ROWS_A_CHUNK: Final = 1_000
KEPT_MAX: Final = 1_000
TOGETHER_ROWS_MAX: Final = 200
"""Rows of one customer that stand together, at most."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportReport:
    """What became of a file: rows by outcome, and the first thousand each of errors, warnings and changes (all are counted).

    `already`: the same file was taken in before, and nothing was done. `taken_in`: the caller may commit."""

    kind: str
    file_name: str
    sha256: str
    dry_run: bool
    rows: int = 0
    new: int = 0
    changed: int = 0
    same: int = 0
    rejected: int = 0
    errors: tuple[RowError, ...] = ()
    errors_total: int = 0
    warnings: tuple[RowError, ...] = ()
    warnings_total: int = 0
    changes: tuple[Taken, ...] = ()
    already: ImportRecord | None = None
    stopped: bool = False

    @property
    def refused(self) -> bool:
        """Whether anything in the file stands in the way of taking it in."""
        return self.errors_total > 0 or self.rejected > 0

    @property
    def taken_in(self) -> bool:
        """Whether this was a real run to its end without a refusal: what it wrote may be committed."""
        return not (self.dry_run or self.stopped or self.refused or self.already is not None)


def import_file(
    session: Session,
    *,
    kind: ImportKind,
    file: CsvFile,
    context: Context,
    dry_run: bool,
    progress: Callable[[int, int], None] | None = None,
    stop: Callable[[], bool] | None = None,
) -> ImportReport:
    """Check and write every row. `progress(rows done, rows in all)` and `stop()` are called after each chunk of at most 1,000 rows.

    Two imports of one kind never interleave: the second waits. Raises LayoutRefused for a layout that does not fit the kind, FileRefused
    for a file exported before the last one of its kind, provider and council."""
    check_layout(context.layout, kind=kind)
    imports.hold(session, kind=kind.name)
    already = imports.record_of(session, kind=kind.name, sha256=file.sha256)
    tally = _Tally(kind=kind, file=file, dry_run=dry_run)
    if already is not None and not _says_more(already, kind=kind, context=context):
        return tally.report(already=already)
    _refuse_older(session, kind=kind, context=context)
    for rows, errors, lines in _chunks(file, kind.fields):
        tally.add_errors(errors)
        tally.add(kind.take(session, rows=rows, context=context) if rows else ())
        tally.rows += lines
        if progress is not None:
            progress(tally.rows, file.rows_total)
        if stop is not None and stop():
            return tally.report(stopped=True)
    tally.add_errors(kind.finish(session, context=context))
    report = tally.report()
    if report.taken_in and already is None:
        imports.add_record(session, record=_record(report, context))
    return report


@dataclass(slots=True, kw_only=True)
class _Tally:
    """What is known so far of a file's rows."""

    kind: ImportKind
    file: CsvFile
    dry_run: bool
    rows: int = 0
    counts: dict[str, int] = field(default_factory=lambda: dict.fromkeys(("new", "changed", "same", "rejected"), 0))
    errors: list[RowError] = field(default_factory=list)
    errors_total: int = 0
    warnings: list[RowError] = field(default_factory=list)
    warnings_total: int = 0
    changes: list[Taken] = field(default_factory=list)
    wrong_rows: set[int] = field(default_factory=set)

    def add(self, taken: Sequence[Taken]) -> None:
        for each in taken:
            if each.outcome == "rejected":
                self.wrong_rows.add(each.row)
            else:
                self.counts[each.outcome] += 1
                if each.outcome != "same" and len(self.changes) < KEPT_MAX:
                    self.changes.append(each)
            self.add_errors(each.errors)

    def add_errors(self, errors: Sequence[RowError]) -> None:
        for error in errors:
            if error.warning:
                self.warnings_total += 1
                self.warnings += [error] if len(self.warnings) < KEPT_MAX else []
            else:
                self.errors_total += 1
                self.wrong_rows.add(error.row)
                self.errors += [error] if len(self.errors) < KEPT_MAX else []

    def report(self, *, already: ImportRecord | None = None, stopped: bool = False) -> ImportReport:
        return ImportReport(
            kind=self.kind.name,
            file_name=self.file.name,
            sha256=self.file.sha256,
            dry_run=self.dry_run,
            rows=self.rows,
            new=self.counts["new"],
            changed=self.counts["changed"],
            same=self.counts["same"],
            rejected=len(self.wrong_rows),
            errors=tuple(sorted(self.errors, key=lambda error: error.row)),
            errors_total=self.errors_total,
            warnings=tuple(sorted(self.warnings, key=lambda error: error.row)),
            warnings_total=self.warnings_total,
            changes=tuple(self.changes),
            already=already,
            stopped=stopped,
        )


def _says_more(already: ImportRecord, *, kind: ImportKind, context: Context) -> bool:
    """Whether a file that was taken in says more now, by when and for whom it was exported."""
    if not isinstance(kind, Covering) or context.exported_at is None:
        return False
    return (already.provider_id, already.exported_at) != (context.provider, context.exported_at)


def _refuse_older(session: Session, *, kind: ImportKind, context: Context) -> None:
    if context.exported_at is None:
        return
    newest = imports.newest_export(session, kind=kind.name, provider_id=context.provider, council_id=context.council)
    if newest is None or newest.exported_at is None or context.exported_at >= newest.exported_at:
        return
    words = (
        f"this file was exported at {context.exported_at:%Y-%m-%d %H:%M} UTC, and {newest.file_name!r}, exported at"
        f" {newest.exported_at:%Y-%m-%d %H:%M} UTC, is taken in already: export it anew"
    )
    raise FileRefused(field="exported_at", words=words)


def _chunks(file: CsvFile, fields: Sequence[FieldDef]) -> Iterator[tuple[list[Row], list[RowError], int]]:
    """Rows in file order, at most a thousand at once (rows that stand together stay together), with the errors of those that cannot be
    read or that repeat another's key, and how many lines that were."""
    together = next((field.name for field in fields if field.together), None)
    keys = _Keys(fields, file.layout)
    rows: list[Row] = []
    errors: list[RowError] = []
    lines, group, in_group = 0, "", 0
    for each in file.rows():
        if lines >= ROWS_A_CHUNK and (together is None or isinstance(each, RowError) or each.values[together] != group):
            yield rows, errors, lines
            rows, errors, lines = [], [], 0
        lines += 1
        if isinstance(each, RowError):
            errors.append(each)
            continue
        if together is not None:
            in_group = in_group + 1 if each.values[together] == group else 1
            group = each.values[together]
            if in_group > TOGETHER_ROWS_MAX:
                words = f"more than {TOGETHER_ROWS_MAX} rows of one {together}: is the column right?"
                errors.append(RowError(row=each.number, field=together, words=words))
                continue
        twice = keys.seen(each)
        if twice is None:
            rows.append(each)
        else:
            errors.append(twice)
    yield rows, errors, lines


class _Keys:
    """Which records the file has named so far, and on which line."""

    def __init__(self, fields: Sequence[FieldDef], layout: Layout) -> None:
        known = {*layout.columns, *layout.constants}
        self._fields = [field.name for field in fields if field.key and field.name in known]
        self._line_of: dict[tuple[str, ...], int] = {}

    def seen(self, row: Row) -> RowError | None:
        """What is wrong with a row whose key stood on an earlier line; None when it did not."""
        key = tuple(row.values.get(name, "") for name in self._fields)
        if not any(key):
            return None
        line = self._line_of.setdefault(key, row.number)
        if line == row.number:
            return None
        words = f"{' '.join(key)!r} stands on line {line} already: a file has each once"
        return RowError(row=row.number, field=self._fields[0], words=words)


def _record(report: ImportReport, context: Context) -> ImportRecord:
    return ImportRecord(
        kind=report.kind,
        sha256=report.sha256,
        file_name=report.file_name,
        layout=context.layout.name,
        provider_id=context.provider,
        council_id=context.council,
        imported_at=context.now,
        imported_by=context.who,
        exported_at=context.exported_at,
        rows_read=report.rows,
        rows_new=report.new,
        rows_changed=report.changed,
        rows_same=report.same,
    )
