"""`popback bench peers`: the command line of it. Not the comparing (simulations.bench.peers)."""

from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from api.commands.options import AsJson, emit, refuse

STOPPED = 130


def peers(
    files: Annotated[list[Path] | None, typer.Argument(help="Instance files of any known format.")] = None,
    *,
    data: Annotated[Path | None, typer.Option(help="The folder of the published instances, with --set.")] = None,
    set_name: Annotated[str | None, typer.Option("--set", help="A published set of --data.")] = None,
    subset: Annotated[bool, typer.Option("--subset", help="Only the set's instances that gate.")] = False,
    seconds: Annotated[float, typer.Option(help="How long each may search.")] = 60.0,
    clock: Annotated[
        Literal["wall", "cpu"],
        typer.Option(help="cpu: by each solver's own CPU time (a busy machine); VROOM has only wall."),
    ] = "wall",
    seeds: Annotated[int, typer.Option(min=1, help="Solve each with the seeds 1 to this.")] = 1,
    peer: Annotated[
        list[str] | None, typer.Option(help="Only this peer: ortools, pyvrp, vroom; may be repeated.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """OR-Tools, PyVRP, VROOM and popback side by side: the same instances, one run, one judge."""
    from simulations.bench import peers as bench

    try:
        asked = bench.Asked(
            files=tuple(files or ()),
            data=data,
            set_name=set_name,
            subset=subset,
            seconds=seconds,
            clock=clock,
            seeds=seeds,
            peers=tuple(dict.fromkeys(peer)) if peer else tuple(bench.PEERS),
        )
        result = bench.run(asked=asked)
    except (ValueError, OSError) as error:
        refuse(str(error))
    _show(result, as_json=as_json)
    if not result["complete"]:
        raise typer.Exit(STOPPED)


def _show(result: dict[str, Any], *, as_json: bool) -> None:
    """One JSON object for machines; for people a line an instance and solver."""
    if as_json:
        emit(result, as_json=True)
        return
    for row in result["rows"]:
        for solver, column in row["solvers"].items():
            print(f"{row['instance']:32} {solver:8} {_words(column)}")  # noqa: T201 -- the answer
    emit({key: value for key, value in result.items() if key != "rows"}, as_json=False)


def _words(column: dict[str, Any]) -> str:
    if "cannot_express" in column:
        return f"cannot express: {column['cannot_express']}"
    if column["mean"] is None:
        return f"no sound answer: {'; '.join(column['faults'][:2])}"
    gap = "" if column["mean_gap"] is None else f"{100 * column['mean_gap']:+.2f} %"
    return f"{column['mean']:14.3f} {gap:>9} {max(column['unfilled'])} unfilled"
