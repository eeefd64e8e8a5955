"""`popback provider shadow` and `popback provider monitoring`. Not their rules (evm.services.shadow, evm.services.feeds)."""

from typing import Annotated, Any, Literal

import typer

from api.commands.options import DEFAULT_DATA, AsJson, Database, DataDir, emit, refuse

Provider = Annotated[str, typer.Argument(help="The provider's id.")]
Why = Annotated[str | None, typer.Option(help="The reason, kept with the setting.")]
By = Annotated[str | None, typer.Option(help="Who sets it; default: this user.")]


def shadow(
    provider: Provider,
    *,
    council: Annotated[str, typer.Option(help="The council that pays.")],
    until: Annotated[
        str | None, typer.Option(help="The first day (YYYY-MM-DD) on which money is held; without it: what stands.")
    ] = None,
    why: Why = None,
    by: By = None,
    data: DataDir = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Show or set until which day a provider's verdicts hold no money for want of evidence; every setting is kept."""
    from api import provider_office
    from api.office import OfficeRefused

    try:
        if until is None:
            found = provider_office.show_shadow(data=data, database=database, provider=provider, council=council)
        else:
            found = provider_office.set_shadow(
                data=data,
                database=database,
                provider=provider,
                council=council,
                until=until,
                why=why or "",
                by=by,
            )
    except OfficeRefused as error:
        refuse(str(error))
    _show(found, as_json=as_json)


def monitoring(
    provider: Provider,
    kind: Annotated[
        Literal["live", "feed"] | None, typer.Argument(help="live: heard of as it happens; feed: in files afterwards.")
    ] = None,
    *,
    why: Why = None,
    by: By = None,
    data: DataDir = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Show or set how a provider's visits are heard of, which decides when a missed visit is alerted."""
    from api import provider_office
    from api.office import OfficeRefused

    try:
        if kind is None:
            found = provider_office.show_monitoring(data=data, database=database, provider=provider)
        else:
            found = provider_office.set_monitoring(
                data=data, database=database, provider=provider, kind=kind, why=why or "", by=by
            )
    except OfficeRefused as error:
        refuse(str(error))
    _show(found, as_json=as_json)


def _show(found: dict[str, Any], *, as_json: bool) -> None:
    """The whole as JSON; for people each entry of a list on a line of its own."""
    if as_json:
        emit(found, as_json=True)
        return
    emit(
        {key: "none" if value is None else value for key, value in found.items() if not isinstance(value, list)},
        as_json=False,
    )
    for entries in (value for value in found.values() if isinstance(value, list)):
        for entry in entries:
            typer.echo("  " + ", ".join(f"{key} {'none' if value is None else value}" for key, value in entry.items()))
