"""`popback bench roster`: the command line of it. Not the measuring (simulations.bench.roster) and not the search."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from api.commands.options import AsJson, emit, refuse


def roster(
    *,
    instance: Annotated[
        Path | None, typer.Option(help="An instance file of any known format, in place of a generated locality.")
    ] = None,
    workers: Annotated[int, typer.Option(min=1, help="Care workers employed (5 of 7 days on duty over a week).")] = 120,
    visits: Annotated[int, typer.Option(min=1, help="Visits a day.")] = 1_000,
    days: Annotated[int, typer.Option(min=1, max=7, help="1 is a day's roster, 7 a week's.")] = 1,
    seconds: Annotated[float, typer.Option(min=0.1, help="How long the search may take.")] = 60.0,
    sick: Annotated[
        str | None,
        typer.Option(help="Then this worker rings in sick on the first day (or: any); the re-plan is measured."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0)] = 1,
    clock: Annotated[
        Literal["wall", "cpu"], typer.Option(help="cpu: each process's own time (a busy machine).")
    ] = "wall",
    as_json: AsJson = False,
) -> None:
    """Roster a simulated locality, or an instance file, and measure it beside its bounds."""
    from simulations.bench import roster as bench

    try:
        asked = bench.Asked(
            instance=instance,
            workers=workers,
            visits=visits,
            days=days,
            seconds=seconds,
            sick=sick,
            seed=seed,
            clock=clock,
        )
        result = bench.run(asked=asked)
    except (ValueError, OSError) as error:
        refuse(str(error))
    emit(result, as_json=as_json)
