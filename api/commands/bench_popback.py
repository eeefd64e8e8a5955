"""`popback bench popback`: the command line of it. Not the measuring (simulations.bench.popback) and not the desk."""

import sys
from typing import Annotated

import typer

from api.commands.options import AsJson, emit, refuse


def popback(
    *,
    offers: Annotated[int, typer.Option(min=1, help="Pop-backs asked for.")] = 200,
    visits: Annotated[int, typer.Option(min=1, help="Visits on the published day.")] = 1_000,
    workers: Annotated[int | None, typer.Option(min=1, help="Workers on duty; default: one for 8.4 visits.")] = None,
    seed: Annotated[int, typer.Option(min=0)] = 1,
    publish_seconds: Annotated[
        float, typer.Option(min=0.1, help="How long the day may be rostered before it is published.")
    ] = 20.0,
    as_json: AsJson = False,
) -> None:
    """Ask the pop-back desk for offers on a published day; judge them by exhaustive insertion and the verifier."""
    from simulations.bench import popback as bench

    try:
        asked = bench.Asked(offers=offers, visits=visits, workers=workers, seed=seed, publish_seconds=publish_seconds)
        result = bench.run(asked=asked, say=_say)
    except ValueError as error:
        refuse(str(error))
    emit(result, as_json=as_json)


def _say(words: str) -> None:
    sys.stderr.write(f"{words}\n")
