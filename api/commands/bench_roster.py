"""`popback bench roster`: the command line of it. Not the measuring (simulations.bench.roster) and not the search."""

import sys
from pathlib import Path
from typing import Annotated, Any, Literal

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
    seed: Annotated[int, typer.Option(min=0, help="Of the locality and of the search.")] = 1,
    clock: Annotated[
        Literal["wall", "cpu"], typer.Option(help="cpu: each process's own time (a busy machine).")
    ] = "wall",
    sizes: Annotated[
        str | None, typer.Option(help="Days of several sizes instead, as in 100,1000,2000 visits; a row each.")
    ] = None,
    plot: Annotated[Path | None, typer.Option(help="With --sizes: draw the rows into this SVG file.")] = None,
    stranger_seconds: Annotated[
        int | None,
        typer.Option(
            min=0,
            help="Over several days: what a visit by none of a customer's three commonest costs, as travel (else as a"
            " branch's own rosters weigh it).",
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Roster a simulated locality, or an instance file, and measure it beside its bounds."""
    from simulations.bench import roster as bench

    if plot is not None and sizes is None:
        refuse("--plot: it draws the rows of --sizes; say --sizes as well, as in --sizes 100,1000,2000")
    if plot is not None and (plot.is_dir() or not plot.parent.is_dir()):
        refuse(f"--plot: {plot} is no place for a file; name one in a folder that is there")
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
            stranger_seconds=bench.STRANGER_SECONDS if stranger_seconds is None else stranger_seconds,
        )
        result = bench.run(asked=asked, say=_say) if sizes is None else _of_sizes(asked, sizes, plot)
    except (ValueError, OSError) as error:
        refuse(str(error))
    emit(result, as_json=as_json)


def _of_sizes(asked: Any, sizes: str, plot: Path | None) -> dict[str, Any]:
    from simulations.bench import roster_plot, roster_sizes

    result = roster_sizes.run_sizes(asked=asked, sizes=roster_sizes.sizes_of(text=sizes), say=_say)
    if plot is not None:
        plot.write_text(roster_plot.plot(rows=result["sizes"]), encoding="utf-8")
    return result


def _say(words: str) -> None:
    sys.stderr.write(f"{words}\n")
    sys.stderr.flush()
