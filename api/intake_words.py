"""What an import did, or would do, as a person reads it on the terminal. Not the doing (intake)."""

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table
from rich.text import Text

from evm.services.imports.csv_file import RowError
from evm.services.imports.run import ImportReport

SHOWN_MAX = 20


def print_report(report: ImportReport) -> None:
    """The outcome, then the first errors, warnings and changes. Cells of the file are printed as text, never as markup."""
    console = Console(highlight=False, soft_wrap=False)
    if report.already is not None:
        when = f"{report.already.imported_at:%d %B %Y %H:%M} UTC"
        console.print(
            Text(
                f"This file was taken in on {when} by {report.already.imported_by} as {report.already.file_name}; nothing is to do."
            )
        )
        return
    console.print(Text(_outcome(report)))
    counts = f"{report.rows:,} rows: {report.new:,} new, {report.changed:,} changed, {report.same:,} the same"
    console.print(Text(f"{counts}, {report.rejected:,} refused"))
    _print_errors(console, "Refused", report.errors, report.errors_total)
    _print_errors(console, "To look at", report.warnings, report.warnings_total)
    _print_changes(console, report)


def _outcome(report: ImportReport) -> str:
    if report.stopped:
        return f"{report.file_name}: stopped; nothing was taken in."
    if report.refused:
        return f"{report.file_name}: nothing was taken in; mend the rows below and run it again."
    if report.dry_run:
        return f"{report.file_name}: a dry run; nothing was kept. Without --dry-run this would be taken in:"
    return f"{report.file_name}: taken in."


def _print_errors(console: Console, title: str, errors: Sequence[RowError], total: int) -> None:
    if not errors:
        return
    table = Table("line", "column", "what is wrong", title=_title(title, len(errors), total), title_justify="left")
    for error in errors[:SHOWN_MAX]:
        table.add_row(Text(str(error.row)), Text(error.field), Text(error.words))
    console.print(table)


def _print_changes(console: Console, report: ImportReport) -> None:
    if not report.changes:
        return
    total = report.new + report.changed
    table = Table(
        "line", "", "whose", "what", title=_title("New and changed", len(report.changes), total), title_justify="left"
    )
    for each in report.changes[:SHOWN_MAX]:
        table.add_row(Text(str(each.row)), Text(each.outcome), Text(each.subject), Text(each.words))
    console.print(table)


def _title(words: str, kept: int, total: int) -> str:
    shown = min(SHOWN_MAX, kept)
    return (
        f"{words} ({total:,})"
        if shown >= total
        else f"{words} (the first {shown} of {total:,}; --json gives a thousand)"
    )
