"""`popback roster …`: rosters made, made again around somebody who is sick, and explained. Not the making (evm.services.roster,
roster_week, roster_batch) and not publishing, which a person does."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from api.commands.options import DEFAULT_DATA, AsJson, Database, DataDir, emit, opened, refuse

DAY_SECONDS, WEEK_SECONDS = 30.0, 120.0


class _MakesByDefault(TyperGroup):
    """`popback roster --all-localities …` is `popback roster make --all-localities …`."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, ["make", *args] if args and args[0] in _MAKE_OPTIONS else args)


_MAKE_OPTIONS = frozenset({"--all-localities", "--locality", "--week", "--day"})
roster_app = typer.Typer(cls=_MakesByDefault, no_args_is_help=True, help="Make rosters as drafts, and explain them.")
Locality = Annotated[str | None, typer.Option(help="The locality.")]
Provider = Annotated[str | None, typer.Option(help="The provider; needed where several have visits there then.")]
RosterId = Annotated[str, typer.Option(help="The roster's id, as popback roster list has it.")]
Day = Annotated[datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The day, such as 2026-11-23.")]
Seed = Annotated[int, typer.Option(min=0, help="Which of equally good rosters.")]
Travel = Annotated[
    str,
    typer.Option(
        envvar="POPBACK_TRAVEL",
        help="great-circle (the policy's), roads:FILE.osm.pbf, osrm:URL or valhalla:URL.",
    ),
]


@roster_app.command("make")
def make(
    *,
    locality: Locality = None,
    all_localities: Annotated[bool, typer.Option("--all-localities", help="Every locality that has visits.")] = False,
    provider: Provider = None,
    day: Day = None,
    week: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%d"], help="The week, by its Monday: seven drafts at once.")
    ] = None,
    seconds: Annotated[
        float | None, typer.Option(min=0.1, help="Search so long for each roster; default 30 a day, 120 a week.")
    ] = None,
    iterations: Annotated[
        int | None,
        typer.Option(min=0, help="Instead of seconds, for each day: the same seed then gives the same roster."),
    ] = None,
    seed: Seed = 1,
    processes: Annotated[
        int | None, typer.Option(min=1, help="With --all-localities: rosters at once; default: one a core.")
    ] = None,
    cluster: Annotated[
        str | None, typer.Option(help="With --all-localities: solve on this Dask cluster, such as tcp://10.0.0.5:8786.")
    ] = None,
    again: Annotated[
        bool, typer.Option("--again", help="With --all-localities: make anew what is saved already.")
    ] = False,
    travel: Travel = "great-circle",
    data: DataDir = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Make rosters as drafts for a person to publish. Ctrl-C ends the search and keeps the best found so far."""
    if (day is None) == (week is None):
        refuse("say --day or --week, one of them: --day 2026-11-23, or --week with a Monday")
    if all_localities == (locality is not None):
        refuse("say --locality with its id, or --all-localities")
    if all_localities and (week is None or provider is not None):
        refuse("--all-localities makes weeks, for every provider: say --week, and no --day or --provider")
    if seconds is not None and iterations is not None:
        refuse("say --seconds or --iterations, not both")
    if not all_localities and (processes is not None or cluster is not None or again):
        refuse("--processes, --cluster and --again go with --all-localities")
    if cluster is not None and processes is not None:
        refuse("say --processes or --cluster, not both: a cluster has its own workers")
    default = WEEK_SECONDS if week is not None else DAY_SECONDS
    limit = None if iterations is not None else seconds or default
    with opened(data=data, database=database) as parts, _refusals():
        from api.commands.roster_making import Making, roads_of

        making = Making(parts, roads=roads_of(travel, data=data), seed=seed, seconds_max=limit, iterations=iterations)
        if all_localities:
            assert week is not None
            answer = making.every_week(week.date(), cluster=cluster, processes=processes, again=again)
        elif week is not None:
            answer = making.week(*making.where(locality, provider, since_day=week.date(), days=7), monday=week.date())
        else:
            assert day is not None
            answer = making.day(*making.where(locality, provider, since_day=day.date()), day=day.date())
    emit(answer, as_json=as_json)
    if answer.get("failed"):
        raise typer.Exit(1)


@roster_app.command("replan")
def replan(
    *,
    locality: Annotated[str, typer.Option(help="The locality.")],
    day: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="The day, such as 2026-11-23.")],
    sick: Annotated[list[str], typer.Option(help="A worker who cannot come; again for another.")],
    provider: Provider = None,
    seconds: Annotated[float, typer.Option(min=0.1, help="Search at most so long.")] = 3.0,
    seed: Seed = 1,
    travel: Travel = "great-circle",
    data: DataDir = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Mend the published roster around workers who are sick: a draft, with little else changed, for a person to publish."""
    with opened(data=data, database=database) as parts, _refusals():
        from api.commands.roster_making import Making, roads_of

        making = Making(parts, roads=roads_of(travel, data=data), seed=seed, seconds_max=seconds, iterations=None)
        answer = making.mended(*making.where(locality, provider, since_day=day.date()), day=day.date(), away=sick)
    emit(answer, as_json=as_json)


@roster_app.command("explain")
def explain(
    *,
    roster: RosterId,
    visit: Annotated[
        str | None, typer.Option(help="One of its visits: why this worker, who else, or why nobody.")
    ] = None,
    travel: Travel = "great-circle",
    data: DataDir = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Why a roster is as it is: its score by rule and what is unfilled; of one visit, who else could and at what cost."""
    with opened(data=data, database=database) as parts, _refusals(), parts.sessions() as session:
        from api.commands.roster_making import roads_of
        from evm.services.roster_explain import explain_roster, explain_visit

        if visit is None:
            answer = dict(explain_roster(session, roster_id=roster))
        else:
            roads = roads_of(travel, data=data)
            answer = dict(explain_visit(session, roster_id=roster, visit=visit, policy=parts.policy, roads=roads))
    emit(answer, as_json=as_json)


@roster_app.command("list")
def list_rosters(
    *,
    week: Annotated[datetime, typer.Option(formats=["%Y-%m-%d"], help="The seven days from this one.")],
    locality: Locality = None,
    data: DataDir = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """The rosters of seven days, drafts and published ones."""
    with opened(data=data, database=database) as parts, parts.sessions() as session:
        from evm.domain.ids import LocalityId
        from evm.store import people, rosters

        known = [each.locality_id for each in people.localities(session)]
        if locality is not None and locality not in known:
            refuse(f"--locality: there is no {locality!r}; there are {', '.join(known) or 'none'}")
        found = rosters.list_rosters(
            session,
            locality_id=None if locality is None else LocalityId(locality),
            since_day=week.date(),
            until_day=week.date() + timedelta(days=7),
        )
        answer = [
            {
                "roster": record.roster_id,
                "locality_id": record.locality_id,
                "provider_id": record.provider_id,
                "day": record.day.isoformat(),
                "version": record.version,
                "state": record.state.value,
                "made": record.body["made"],
                "unfilled": record.unfilled,
                "violations": record.violations,
            }
            for record in found
        ]
    if as_json:
        emit({"rosters": answer}, as_json=True)
        return
    for each in answer:
        typer.echo("  ".join(str(value) for value in each.values()))


@roster_app.command("publish")
def publish(
    *,
    roster: RosterId,
    by: Annotated[str, typer.Option(help="Who publishes it: a person's account.")],
    data: DataDir = DEFAULT_DATA,
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Publish a draft: workers are told once, and deadlines are watched."""
    if not by.strip():
        refuse("--by: empty; say who publishes it, by their account")
    with opened(data=data, database=database) as parts, _refusals(), parts.sessions.begin() as session:
        from evm.domain.period import in_zone
        from evm.services import roster as service
        from evm.store import rosters

        record = rosters.roster(session, roster_id=roster)
        if record is not None and in_zone(parts.clock(), zone=parts.policy.zone).date() > record.day:
            refuse(f"{record.day} is over: a roster of the past is not published; publish one for a day to come")
        done = service.publish(session, roster_id=roster, by=by, now=parts.clock(), policy=parts.policy)
    answer = {
        "roster": done.roster_id,
        "changes": list(done.changes),
        "devices_told": done.devices_told,
        "popbacks_kept": list(done.popbacks_kept),
        "popbacks_unfilled": list(done.popbacks_unfilled),
    }
    emit(answer, as_json=as_json)


@contextmanager
def _refusals() -> Iterator[None]:
    """Whatever cannot be made ends the command with its sentence."""
    from evm.gateways.road_times import RoadsRefused
    from evm.services.roster import RosterRefused
    from rostering.problem import ProblemError
    from rostering.scale import PoolLostError

    try:
        yield
    except RoadsRefused as refused:
        refuse(f"--travel: {refused}")
    except (RosterRefused, ProblemError) as refused:
        refuse(str(refused))
    except PoolLostError as lost:
        refuse(f"--cluster: {lost}; what was made before is saved")
    except KeyboardInterrupt:
        sys.stderr.write("popback: stopped at once: what was saved before stands, nothing else was kept\n")
        raise typer.Exit(130) from None
