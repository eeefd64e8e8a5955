"""`popback bench kept`: the command line of it. Not the evaluating (simulations.bench.instances_kept)."""

from pathlib import Path
from typing import Annotated

import typer

from api.commands.options import AsJson, emit, refuse


def kept(
    *,
    data: Annotated[Path, typer.Option(help="The folder of the published instances: holds hhcrsp/ and vrptw/.")],
    folder: Annotated[Path, typer.Option(help="The kept solutions, one folder a set.")] = Path("docs/rosters/best"),
    take: Annotated[
        Path | None, typer.Option(help="First take from this folder what beats the published best and what is kept.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Evaluate the kept solutions anew beside the best published values; as a Markdown table, or one JSON object."""
    from simulations.bench.instances_kept import table

    try:
        result = table(data=data, kept=folder, take=take)
    except (ValueError, KeyError, OSError) as error:
        refuse(str(error))
    if as_json:
        emit(result, as_json=True)
    else:
        typer.echo("| Set | Instance | Published best | Ours | Difference |\n|---|---|---|---|---|")
        for row in result["rows"]:
            gap = "" if row["gap"] is None else f"{100 * row['gap']:+.2f} %"
            said = f"FAULT {row['faults'][0]}" if row["faults"] else gap
            best = "" if row["published_best"] is None else f"{row['published_best']:.3f}"
            typer.echo(f"| {row['set']} | {row['instance']} | {best} | {row['objective']:.3f} | {said} |")
    if result["faulty"]:
        raise typer.Exit(1)
