"""`popback locality …`: areas, their polygons and outward codes, where a postcode is, and customers placed anew. Not the rules
(evm.domain.area, evm.services.localities) and not contracts (api.commands.contracts)."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal
from zoneinfo import ZoneInfo

import typer

from api.commands import options
from api.commands.contracts import contract_app
from api.commands.options import DEFAULT_DATA, AsJson, Database, DataDir, emit, refuse

if TYPE_CHECKING:
    from api.parts import Parts
    from evm.services.localities import Placing
    from evm.services.postcodes import Report
    from evm.store.screens.localities import LocalitySummary

locality_app = typer.Typer(no_args_is_help=True, help="Localities and who is contracted for them.")
locality_app.add_typer(contract_app, name="contract")
Council = Annotated[str, typer.Option(help="The council whose localities these are.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would change; change nothing.")]
MOVES_SHOWN = 20


@contextmanager
def opened(*, data: Path, database: str | None) -> Iterator["Parts"]:
    """The database, closed afterwards; every refusal of a locality or contract ends the command with its sentence."""
    from evm.services.localities import LocalityRefused

    with options.opened(data=data, database=database) as parts:
        try:
            yield parts
        except LocalityRefused as error:
            refuse(str(error))


@locality_app.command("list")
def list_localities(
    *,
    council: Annotated[str | None, typer.Option(help="Only this council's.")] = None,
    data: DataDir = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Localities with their outward codes, whether they have a polygon, and their customers."""
    from evm.domain.ids import CouncilId
    from evm.store.screens import localities

    with opened(data=data, database=database) as parts, parts.sessions() as session:
        rows = localities.summaries(session, council_id=None if council is None else CouncilId(council))
    if as_json:
        emit({"localities": [_summary(row) for row in rows]}, as_json=True)
        return
    for row in rows:
        codes = " ".join(row.outward_codes) or "no outward codes"
        polygon = "polygon" if row.polygon else "no polygon"
        typer.echo(f"{row.locality_id:32} {row.name} ({row.council_id}): {codes}, {polygon}, {row.customers} customers")
    if not rows:
        typer.echo("There is no locality yet: popback locality set ID --council COUNCIL --name NAME")


def _summary(row: "LocalitySummary") -> dict[str, Any]:
    return {
        "locality": row.locality_id,
        "council": row.council_id,
        "name": row.name,
        "outward_codes": list(row.outward_codes),
        "polygon": row.polygon,
        "customers": row.customers,
    }


@locality_app.command("set")
def set_locality(
    locality: Annotated[str, typer.Argument(help="Its id: lower-case letters, digits and hyphens.")],
    *,
    council: Council,
    name: Annotated[str | None, typer.Option(help="What people call it; kept if not given.")] = None,
    outward: Annotated[
        str | None, typer.Option(help='Its outward codes, such as M14,M15; "" for none; kept if not given.')
    ] = None,
    data: DataDir = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Make a locality, or change its name or outward codes. Customers move only by `place-customers`."""
    from evm.services import localities

    codes = None if outward is None else [code.strip() for code in outward.split(",") if code.strip()]
    with opened(data=data, database=database) as parts, parts.sessions.begin() as session:
        outcome = localities.set_locality(
            session, locality_id=locality, council_id=council, name=name, outward_codes=codes
        )
    emit({"locality": locality, "outcome": outcome}, as_json=as_json)


@locality_app.command("polygons")
def set_polygons(
    file: Annotated[Path, typer.Argument(help="GeoJSON in WGS 84, one feature a locality.")],
    *,
    council: Council,
    dry_run: DryRun = False,
    data: DataDir = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Give localities their polygons. Two that overlap, and any that is unsound, are refused, and nothing is changed."""
    from evm.gateways.geojson import GeojsonRefused, read_polygons
    from evm.services import localities

    try:
        read = read_polygons(path=file)
    except GeojsonRefused as error:
        refuse("\n  ".join(["the polygons cannot be taken, and nothing was changed:", *error.sentences]))
    with opened(data=data, database=database) as parts, parts.sessions() as session:
        outcomes = localities.set_polygons(
            session, council_id=council, polygons=read.by_locality, names=read.names, now=parts.clock()
        )
        if not dry_run:
            session.commit()
    counts = {word: sum(1 for each in outcomes.values() if each == word) for word in ("new", "changed", "same")}
    emit({"council": council, **counts, "dry_run": dry_run}, as_json=as_json)


@locality_app.command("where")
def where(
    postcode: Annotated[str, typer.Argument(help="Such as M14 5AA.")],
    *,
    council: Annotated[str | None, typer.Option(help="Ask only this council's localities.")] = None,
    data: DataDir = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Where a postcode is and which locality it belongs to."""
    from evm.domain.area import packed, spaced
    from evm.domain.ids import CouncilId
    from evm.services import localities

    asked = packed(postcode)
    if asked is None:
        refuse(f"{postcode!r} has not the form of a postcode, such as M14 5AA")
    text = spaced(asked)
    with opened(data=data, database=database) as parts, parts.sessions() as session:
        place = localities.places_of(session, postcodes=[text]).get(text)
        locality = localities.locality_of(
            session,
            council_id=None if council is None else CouncilId(council),
            postcode=text,
            latitude=None if place is None else place.latitude,
            longitude=None if place is None else place.longitude,
        )
    answer = {
        "postcode": text,
        "known": place is not None,
        "latitude": None if place is None else place.latitude,
        "longitude": None if place is None else place.longitude,
        "terminated_month": None if place is None else place.terminated_month,
        "locality": locality,
    }
    emit(answer, as_json=as_json)


@locality_app.command("place-customers")
def place_customers(
    *,
    council: Council,
    dry_run: DryRun = False,
    data: DataDir = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Give the council's customers the locality they live in, from now on; planned visits follow, published rosters stay as they are."""
    from evm.services import localities

    with opened(data=data, database=database) as parts, parts.sessions() as session:
        now = parts.clock()
        placing = localities.place_customers(
            session,
            council_id=council,
            now=now,
            today=now.astimezone(ZoneInfo(parts.policy.zone)).date(),
            dry_run=dry_run,
        )
        if not dry_run:
            session.commit()
    answer = _placing_answer(placing, dry_run=dry_run)
    if as_json:
        emit(answer, as_json=True)
        return
    for move in answer["moves"][:MOVES_SHOWN]:
        typer.echo(f"{move['customer']}: {move['was']} → {move['to']}")
    for held in answer["held"][:MOVES_SHOWN]:
        typer.echo(f"{held['customer']} stays in {held['was']}: {held['words']}")
    emit({key: value for key, value in answer.items() if key not in {"moves", "held"}}, as_json=False)


def _placing_answer(placing: "Placing", *, dry_run: bool) -> dict[str, Any]:
    moving = [move for move in placing.moves if move.held is None]
    held = [move for move in placing.moves if move.held is not None]
    return {
        "customers": placing.looked_at,
        "moved": len(moving),
        "staying": len(held),
        "visits_moved": placing.visits_moved,
        "visits_on_published_rosters": placing.on_published_rosters,
        "dry_run": dry_run,
        "moves": [{"customer": move.customer_id, "was": move.was, "to": move.to} for move in moving],
        "held": [{"customer": move.customer_id, "was": move.was, "words": move.held} for move in held],
    }


@locality_app.command("postcodes")
def load_postcodes(
    path: Annotated[Path, typer.Argument(help="A CSV file, or a folder of them.")],
    *,
    form: Annotated[
        Literal["onspd", "codepoint"],
        typer.Option("--format", help="onspd: ONS Postcode Directory; codepoint: Code-Point Open."),
    ] = "onspd",
    only: Annotated[str, typer.Option(help="Only these postcode areas, such as M,SK.")] = "",
    replace: Annotated[
        bool, typer.Option("--replace", help="Forget postcodes of these areas that the file does not name.")
    ] = False,
    data: DataDir = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Load where each postcode is from a national file: all of it or, when a row is wrong or Ctrl-C is pressed, nothing."""
    from evm.gateways.postcode_files import PostcodesRefused
    from evm.services.postcodes import spooled, store_postcodes

    areas = [area for area in only.split(",") if area.strip()]
    try:
        with (
            opened(data=data, database=database) as parts,
            _progress() as report,
            spooled(path=path, form=form, only=areas, replace=replace, report=report) as rows,
            parts.sessions.begin() as session,
        ):
            loaded = store_postcodes(session, rows=rows, replace=replace, now=parts.clock(), report=report)
    except PostcodesRefused as error:
        refuse(f"{error}; nothing was loaded")
    except KeyboardInterrupt:
        typer.echo("popback: stopped; nothing was loaded", err=True)
        raise typer.Exit(130) from None
    answer = {
        "files": rows.files,
        "rows": rows.rows_read,
        "loaded": loaded.rows,
        "without_position": rows.without_position,
        "terminated": rows.terminated,
        "removed": loaded.removed,
        "known": loaded.known,
        "already": loaded.already,
    }
    emit(answer, as_json=as_json)


@contextmanager
def _progress() -> Iterator["Report"]:
    """Bars on standard error, narrow enough for a small terminal; nothing where no terminal is."""
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(bar_width=None), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True, expand=True) as progress:
        tasks: dict[str, Any] = {}

        def report(what: str, done: int, total: int) -> None:
            if what not in tasks:
                tasks[what] = progress.add_task(what, total=total)
            progress.update(tasks[what], completed=done, total=total)

        yield report
