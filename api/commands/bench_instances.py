"""`popback bench instances`: the command line of it. Not the measuring (simulations.bench.instances)."""

from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from api.commands.options import AsJson, emit, refuse

STOPPED = 130


def instances(
    *,
    data: Annotated[Path, typer.Option(help="The folder of the published instances: holds hhcrsp/ and vrptw/.")],
    set_name: Annotated[str, typer.Option("--set", help="Which set: mankowska-100, uhhc, italian, solomon, city, …")],
    seconds: Annotated[float, typer.Option(help="How long one solve may search, compiling apart.")] = 60.0,
    seeds: Annotated[int, typer.Option(min=1, help="Solve each with the seeds 1 to this.")] = 3,
    subset: Annotated[bool, typer.Option("--subset", help="Only the instances that gate.")] = False,
    only: Annotated[list[str] | None, typer.Option(help="Only this instance of the set; may be repeated.")] = None,
    jobs: Annotated[int, typer.Option(min=1, help="Solves at once, each then in one process.")] = 1,
    clock: Annotated[
        Literal["wall", "cpu"], typer.Option(help="cpu: one process, counted by its own CPU time (a busy machine).")
    ] = "wall",
    resume: Annotated[
        Path | None, typer.Option(help="Keep each finished solve in this file, and go on from it.")
    ] = None,
    keep: Annotated[Path | None, typer.Option(help="Keep solutions that beat the best published here.")] = None,
    as_json: AsJson = False,
) -> None:
    """Solve a published set over several seeds and compare the means with the best published values."""
    from simulations.bench import instances as bench
    from simulations.bench.instances_jobs import JobLostError

    try:
        asked = bench.Asked(
            data=data,
            set_name=set_name,
            seconds=seconds,
            seeds=seeds,
            subset=subset,
            only=tuple(only or ()),
            jobs=jobs,
            clock=clock,
            resume=resume,
            keep=keep,
            version=version("popback"),
        )
        result = bench.run(asked=asked)
    except (ValueError, OSError, JobLostError) as error:
        refuse(str(error))
    _show(result, as_json=as_json)
    if not result["complete"]:
        raise typer.Exit(STOPPED)
    if result["faulty"]:
        raise typer.Exit(1)


def _show(result: dict[str, Any], *, as_json: bool) -> None:
    """One JSON object for machines; for people a line an instance, then the figures of the set."""
    if as_json:
        emit(result, as_json=True)
        return
    for row in result["rows"]:
        parts = ", ".join(f"{name} {value:g}" for name, value in row.get("parts_mean", {}).items())
        known = parts if row["best_known"] is None else f"best known {row['best_known']:.3f}"
        mean = "not solved" if row["mean"] is None else f"mean {row['mean']:.3f}"
        gap = "" if row["mean_gap"] is None else f"{100 * row['mean_gap']:+.2f} %"
        print(f"{row['instance']:48} {mean:20} {known:24} {gap:>9}")  # noqa: T201 -- the answer
        for fault in row["faults"]:
            print(f"    FAULT {fault}")  # noqa: T201 -- the answer
    emit({key: value for key, value in result.items() if key != "rows"}, as_json=False)
