"""`popback export …`: payroll, actuals, calendars as files. Not their contents (evm.services.exports)."""

from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer

from api.commands.options import DEFAULT_DATA, AsJson, Database, DataDir, emit, refuse

export_app = typer.Typer(no_args_is_help=True, help="Write files: payroll, commissioned care and actuals, calendars.")

Since = Annotated[str, typer.Option(help="The first day, YYYY-MM-DD.")]
Until = Annotated[str, typer.Option(help="The first day after, YYYY-MM-DD.")]
Out = Annotated[Path | None, typer.Option(help="The file; default: standard output.")]
Provider = Annotated[str | None, typer.Option(help="Only this provider's.")]
Council = Annotated[str | None, typer.Option(help="Only this council's.")]
Locality = Annotated[str | None, typer.Option(help="Only this locality's.")]
Excel = Annotated[bool, typer.Option("--excel", help="Begin the file with a byte order mark, for Excel.")]
Worker = Annotated[str | None, typer.Option(help="The care worker's id.")]
Customer = Annotated[str | None, typer.Option(help="The customer's id.")]


@export_app.command("payroll")
def payroll(
    *,
    since: Since,
    until: Until,
    provider: Annotated[str, typer.Option(help="Whose payroll.")],
    out: Out = None,
    lines: Annotated[
        Path | None, typer.Option(help="A second file: every visit and journey the sums are made of.")
    ] = None,
    run_gap_minutes: Annotated[
        int, typer.Option(min=0, max=1440, help="Longer waiting than this ends a run: it is the worker's own time.")
    ] = 60,
    excel: Excel = False,
    data: DataDir = DEFAULT_DATA,
    database: Database = None,
) -> None:
    """Hours, travel, waiting and mileage of each care worker for a pay period."""
    from evm.services.exports.tables import PAYROLL, PAYROLL_LINES

    wanted = [(PAYROLL, out), *([(PAYROLL_LINES, lines)] if lines is not None else [])]
    _export(
        wanted,
        since=since,
        until=until,
        excel=excel,
        data=data,
        database=database,
        provider=provider,
        run_gap_minutes=run_gap_minutes,
    )


@export_app.command("commissioned")
def commissioned(
    *,
    since: Since,
    until: Until,
    provider: Provider = None,
    council: Council = None,
    locality: Locality = None,
    out: Out = None,
    excel: Excel = False,
    data: DataDir = DEFAULT_DATA,
    database: Database = None,
) -> None:
    """Commissioned, planned, evidenced and billed minutes of each customer and week."""
    _export(
        [("commissioned", out)],
        since=since,
        until=until,
        excel=excel,
        data=data,
        database=database,
        provider=provider,
        council=council,
        locality=locality,
    )


@export_app.command("actuals")
def actuals(
    *,
    since: Since,
    until: Until,
    provider: Provider = None,
    council: Council = None,
    locality: Locality = None,
    out: Out = None,
    excel: Excel = False,
    data: DataDir = DEFAULT_DATA,
    database: Database = None,
) -> None:
    """Every planned visit and care worker: what was planned, what happened, what was billed and paid."""
    _export(
        [("actuals", out)],
        since=since,
        until=until,
        excel=excel,
        data=data,
        database=database,
        provider=provider,
        council=council,
        locality=locality,
    )


@export_app.command("run-calendar")
def run_calendar(
    *,
    worker: Annotated[str, typer.Option(help="The care worker's id.")],
    since: Since,
    until: Until,
    out: Out = None,
    data: DataDir = DEFAULT_DATA,
    database: Database = None,
) -> None:
    """A care worker's runs as iCalendar: times, initials and half a postcode, nothing a finder could use."""
    _calendar(worker=worker, customer=None, since=since, until=until, out=out, data=data, database=database)


@export_app.command("visit-calendar")
def visit_calendar(
    *,
    customer: Annotated[str, typer.Option(help="The customer's id.")],
    since: Since,
    until: Until,
    out: Out = None,
    data: DataDir = DEFAULT_DATA,
    database: Database = None,
) -> None:
    """A customer's visits as iCalendar: when, and who comes."""
    _calendar(worker=None, customer=customer, since=since, until=until, out=out, data=data, database=database)


@export_app.command("calendar-address")
def calendar_address(
    *,
    worker: Worker = None,
    customer: Customer = None,
    revoke: Annotated[bool, typer.Option("--revoke", help="End every address there is instead.")] = False,
    public_url: Annotated[str, typer.Option(help="The site's own address.")] = "http://127.0.0.1:8080",
    data: DataDir = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Make a secret address from which a calendar program reads the runs of a worker or the visits of a customer. It is shown once."""
    from api import export_office
    from api.office import OfficeRefused

    try:
        kind, subject = _subject(worker, customer)
        if revoke:
            answer = export_office.revoke_calendar_addresses(
                data=data, database=database, kind=kind, subject_id=subject
            )
        else:
            answer = export_office.make_calendar_address(
                data=data, database=database, kind=kind, subject_id=subject, public_url=public_url.rstrip("/")
            )
    except OfficeRefused as error:
        refuse(str(error))
    emit(answer, as_json=as_json)


def _export(
    wanted: list[tuple[str, Path | None]],
    *,
    since: str,
    until: str,
    excel: bool,
    data: Path,
    database: str | None,
    provider: str | None = None,
    council: str | None = None,
    locality: str | None = None,
    run_gap_minutes: int = 60,
) -> None:
    from api.export_office import export_tables
    from api.office import OfficeRefused
    from evm.services.exports.tables import Asked
    from evm.store.screens import Scope

    try:
        scope = Scope(provider_id=provider, council_id=council, locality_id=locality)
        days = (_day("--since", since), _day("--until", until))
        asked = [
            (Asked(name=name, scope=scope, since=days[0], until=days[1], run_gap_minutes=run_gap_minutes), out)
            for name, out in wanted
        ]
        answer = export_tables(data=data, database=database, wanted=asked, bom=excel)
    except OfficeRefused as error:
        refuse(str(error))
    except KeyboardInterrupt:
        typer.echo("popback: stopped; no file was left", err=True)
        raise typer.Exit(130) from None
    for name, rows in answer["rows"].items():
        typer.echo(f"{name}: {rows:,} rows", err=True)


def _calendar(
    *,
    worker: str | None,
    customer: str | None,
    since: str,
    until: str,
    out: Path | None,
    data: Path,
    database: str | None,
) -> None:
    from api.export_office import export_calendar
    from api.office import OfficeRefused

    try:
        kind, subject = _subject(worker, customer)
        answer = export_calendar(
            data=data,
            database=database,
            kind=kind,
            subject_id=subject,
            since=_day("--since", since),
            until=_day("--until", until),
            out=out,
        )
    except OfficeRefused as error:
        refuse(str(error))
    typer.echo(f"{answer['events']} visits", err=True)


def _subject(worker: str | None, customer: str | None) -> tuple[Any, str]:
    from api.office import OfficeRefused
    from evm.domain.transfer import Passed

    if (worker is None) == (customer is None):
        raise OfficeRefused("name one: --worker or --customer")
    return (Passed.WORKER, worker) if worker is not None else (Passed.CUSTOMER, str(customer))


def _day(option: str, text: str) -> date:
    from api.office import OfficeRefused

    try:
        if len(text) != len("2026-01-01"):
            raise ValueError(text)
        return date.fromisoformat(text)
    except ValueError:
        raise OfficeRefused(f"{option} {text!r} is no day: write it as 2026-11-05") from None
