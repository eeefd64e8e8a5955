"""`popback locality contract …`: which provider a council has given a locality to. Not the rule that keeps two apart
(evm.domain.contract, evm.services.contracts)."""

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import typer

from api.commands.options import DEFAULT_DATA, AsJson, Database, DataDir, emit

if TYPE_CHECKING:
    from evm.domain.contract import Contract

contract_app = typer.Typer(no_args_is_help=True, help="Providers' contracts for localities.")


@contract_app.command("add")
def add(
    contract: Annotated[str, typer.Argument(help="Its id: lower-case letters, digits and hyphens.")],
    *,
    provider: Annotated[str, typer.Option()],
    locality: Annotated[str, typer.Option()],
    since: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="The first day.")],
    until: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The first day after it; open if not given.")
    ] = None,
    shared: Annotated[bool, typer.Option("--shared", help="Others may be commissioned there, too.")] = False,
    data: DataDir = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Write down a contract. Once a council keeps contracts, only contracted providers serve its localities."""
    from api.commands.localities import opened
    from evm.services import contracts

    with opened(data=data, database=database) as parts, parts.sessions.begin() as session:
        made = contracts.add_contract(
            session,
            contract_id=contract,
            provider_id=provider,
            locality_id=locality,
            since=since.date(),
            until=None if until is None else until.date(),
            exclusive=not shared,
        )
    emit(_answer(made), as_json=as_json)


@contract_app.command("end")
def end(
    contract: Annotated[str, typer.Argument()],
    *,
    until: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="The first day on which it no longer holds.")],
    data: DataDir = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """End a contract on a day."""
    from api.commands.localities import opened
    from evm.services import contracts

    with opened(data=data, database=database) as parts, parts.sessions.begin() as session:
        ended = contracts.end_contract(session, contract_id=contract, until=until.date())
    emit(_answer(ended), as_json=as_json)


@contract_app.command("list")
def list_contracts(
    *,
    council: Annotated[str | None, typer.Option(help="Only this council's.")] = None,
    provider: Annotated[str | None, typer.Option(help="Only this provider's.")] = None,
    locality: Annotated[str | None, typer.Option(help="Only in this locality.")] = None,
    data: DataDir = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Contracts by locality and first day."""
    from api.commands.localities import opened
    from evm.domain.contract import said
    from evm.domain.ids import CouncilId, LocalityId, ProviderId
    from evm.store import areas

    with opened(data=data, database=database) as parts, parts.sessions() as session:
        found = areas.contracts(
            session,
            council_id=None if council is None else CouncilId(council),
            provider_id=None if provider is None else ProviderId(provider),
            locality_id=None if locality is None else LocalityId(locality),
        )
    if as_json:
        emit({"contracts": [_answer(each) for each in found]}, as_json=True)
        return
    for each in found:
        typer.echo(said(each))
    if not found:
        typer.echo("There is no such contract. Where a council keeps none, every provider may serve.")


def _answer(contract: "Contract") -> dict[str, Any]:
    return {
        "contract": contract.contract_id,
        "council": contract.council_id,
        "provider": contract.provider_id,
        "locality": contract.locality_id,
        "since": contract.since.isoformat(),
        "until": None if contract.until is None else contract.until.isoformat(),
        "exclusive": contract.exclusive,
    }
