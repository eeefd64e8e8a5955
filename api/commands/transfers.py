"""`popback provider transfer`: customers, packages and workers pass from one provider to another. Not the rules
(evm.services.transfers)."""

import sys
from datetime import date
from pathlib import Path
from typing import Annotated, Any

import typer

from api.commands.options import DEFAULT_DATA, AsJson, Database, DataDir, emit, refuse


def transfer(
    *,
    from_provider: Annotated[str, typer.Option("--from", help="The provider they are with.")],
    to_provider: Annotated[str, typer.Option("--to", help="The provider they pass to.")],
    on: Annotated[
        str, typer.Option(help="The first day (YYYY-MM-DD) that is the new provider's, from local midnight.")
    ],
    locality: Annotated[str | None, typer.Option(help="Only customers and workers of this locality.")] = None,
    customers: Annotated[Path | None, typer.Option(help="A file of customer ids, one a line: only these.")] = None,
    workers: Annotated[Path | None, typer.Option(help="A file of worker ids, one a line: only these.")] = None,
    credentials: Annotated[
        Path | None, typer.Option(help="A new file for the phones' new credentials; only you may read it.")
    ] = None,
    hide_history: Annotated[
        bool, typer.Option("--hide-history", help="The new provider does not see visits before the day.")
    ] = False,
    grace_days: Annotated[
        int, typer.Option(min=0, max=365, help="So long after the day the old phones' credentials still work.")
    ] = 35,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would pass and what stands against it.")] = False,
    cancel: Annotated[bool, typer.Option("--cancel", help="Undo an order before its day.")] = False,
    data: DataDir = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Pass customers with their packages, and workers, from one provider to another on a day; what was before stays the old one's."""
    from api import transfer_office
    from api.office import OfficeRefused
    from evm.domain.ids import CustomerId, LocalityId, ProviderId, WorkerId
    from evm.services.transfers import Wanted

    try:
        named = customers is not None or workers is not None
        wanted = Wanted(
            from_provider=ProviderId(from_provider),
            to_provider=ProviderId(to_provider),
            on_day=_day(on),
            locality_id=None if locality is None else LocalityId(locality),
            customers=_named(customers, "--customers", CustomerId, named=named),
            workers=_named(workers, "--workers", WorkerId, named=named),
            shows_history=not hide_history,
            grace_days=grace_days,
        )
        if dry_run:
            _show(transfer_office.preview_transfer(data=data, database=database, wanted=wanted), as_json=as_json)
        elif cancel:
            emit(transfer_office.cancel_transfer(data=data, database=database, wanted=wanted), as_json=as_json)
        else:
            answer = transfer_office.order_transfer(
                data=data, database=database, wanted=wanted, credentials=credentials
            )
            emit(answer, as_json=as_json)
    except OfficeRefused as error:
        refuse(str(error))


def transfer_list(*, data: DataDir = DEFAULT_DATA, database: Database = None, as_json: AsJson = False) -> None:
    """Every transfer ordered so far, with its state."""
    from api.office import OfficeRefused
    from api.transfer_office import list_transfers

    try:
        found = list_transfers(data=data, database=database)
    except OfficeRefused as error:
        refuse(str(error))
    if as_json:
        emit({"transfers": found}, as_json=True)
        return
    for one in found or [{}]:
        where = f" in {one['locality']}" if one.get("locality") else ""
        line = f"{one['on']} {one['from']} to {one['to']}{where}: {one['state']}" if one else "no transfer was ordered"
        sys.stdout.write(line + "\n")


def _day(text: str) -> date:
    from api.office import OfficeRefused

    try:
        if len(text) != len("2026-01-01"):
            raise ValueError(text)
        return date.fromisoformat(text)
    except ValueError:
        raise OfficeRefused(f"--on {text!r} is no day: write it as 2026-11-05") from None


def _named(path: Path | None, option: str, kind: Any, *, named: bool) -> tuple[Any, ...] | None:
    """The ids of a file; nobody when only the other file is given; None (everybody) when neither is."""
    from api.transfer_office import ids_in

    if path is None:
        return () if named else None
    return tuple(kind(one) for one in ids_in(path, option=option))


def _show(found: dict[str, Any], *, as_json: bool) -> None:
    """The preview; exit 2 when something stands against the transfer."""
    if as_json:
        emit(found, as_json=True)
    else:
        for key, value in found.items():
            shown = value if not isinstance(value, list) else f"{len(value)}"
            sys.stdout.write(f"{key:32} {shown}\n")
            for one in value if isinstance(value, list) else ():
                sys.stdout.write(f"    {one}\n")
    if found["refusals"]:
        raise typer.Exit(2)
