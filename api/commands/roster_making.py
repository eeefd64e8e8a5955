"""Making rosters from the command line: one day, one week or every locality's week, with progress, and stopped when asked. Not the
options (api.commands.roster) and not the making itself (evm.services)."""

import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from api.commands.interrupts import stoppable
from api.commands.options import refuse
from api.parts import Parts
from evm.domain.ids import LocalityId, ProviderId, WorkerId
from evm.gateways.road_sources import source_of
from evm.gateways.road_times import RoadSource
from evm.services import roster
from evm.services.roster_batch import Batch, WeekMade, keep_result, make_weeks, places_to_roster
from evm.services.roster_problem import Wishes
from evm.services.roster_replan import keep_replanned, prepare_replan, replan_prepared, told
from evm.services.roster_week import prepare_week, refuse_no_monday, task_of
from evm.services.roster_worker import day_task_of
from evm.store import people, rosters
from rostering.lower_bound import lower_bound
from rostering.problem import Problem
from rostering.scale import Pool, ProcessPool
from rostering.scale_cluster import ClusterPool
from rostering.scale_week import SolveTask, solve_reporting
from rostering.solver import Result
from rostering.stop import AnyOf, Cancelled, Progress, Seconds

LINE_EVERY_SECONDS = 5.0
STOPPING = "popback: stopping: what has been found is kept (Ctrl-C again to throw it away)"


class Making:
    """One call of `make`: what all its rosters have in common."""

    def __init__(
        self, parts: Parts, *, roads: RoadSource | None, seed: int, seconds_max: float | None, iterations: int | None
    ) -> None:

        self._parts = parts
        self._roads = roads
        self._seed = seed
        self._seconds_max = seconds_max
        self._wishes = Wishes() if iterations is None else Wishes(iterations_max=iterations)

    def where(
        self, locality: str | None, provider: str | None, *, since_day: date, days: int = 1
    ) -> tuple[LocalityId, ProviderId]:
        """The locality and the provider that are meant; refused where they are not there, or could be several."""
        until_day = since_day + timedelta(days=days)
        with self._parts.sessions() as session:
            localities = [each.locality_id for each in people.localities(session)]
            if locality not in localities:
                refuse(f"--locality: there is no {locality!r}; there are {_listed(localities)}")
            visits = rosters.with_visits(session, since_day=since_day, until_day=until_day)
            workers = people.workers(session, locality_id=LocalityId(locality))
        planned = sorted({provider_id for place, provider_id in visits if place == locality})
        if not planned:
            refuse(
                f"no visit is planned in {locality} from {since_day} to before {until_day}: nothing is to be rostered"
            )
        among = sorted({*planned, *(worker.provider_id for worker in workers)})
        if provider is None and len(planned) == 1:
            return LocalityId(locality), planned[0]
        if provider not in among:
            refuse(f"--provider: name one that has visits or care workers in {locality}: {_listed(among)}")
        return LocalityId(locality), ProviderId(provider)

    def day(self, locality_id: LocalityId, provider_id: ProviderId, *, day: date) -> dict[str, Any]:

        parts, where = self._parts, {"locality_id": locality_id, "provider_id": provider_id}
        with parts.sessions() as session:
            roster.refuse_uncommissioned(session, locality_id=locality_id, provider_id=provider_id, day=day)
            prepared = roster.prepare(
                session,
                locality_id=locality_id,
                provider_id=provider_id,
                day=day,
                seed=self._seed,
                policy=parts.policy,
                wishes=self._wishes,
                roads=self._roads,
            )
        warn(prepared.travel_said)
        task = day_task_of(prepared, seconds_max=self._seconds_max, processes=None)
        if self._seconds_max is not None:
            task = replace(task, iterations_max=None)
        result, stopped = _solved(task)
        with parts.sessions.begin() as session:
            roster_id = roster.keep(session, prepared=prepared, result=result, now=parts.clock(), policy=parts.policy)
        say_kept(stopped)
        return {
            **where,
            "day": day.isoformat(),
            "rosters": [roster_id],
            **_facts(prepared.problem, result, travel=self._roads, said=prepared.travel_said),
            "stopped": stopped,
        }

    def week(self, locality_id: LocalityId, provider_id: ProviderId, *, monday: date) -> dict[str, Any]:

        parts, batch = self._parts, self._batch(monday, again=True)
        with parts.sessions() as session:
            prepared = prepare_week(
                session,
                locality_id=locality_id,
                provider_id=provider_id,
                monday=monday,
                seed=self._seed,
                policy=parts.policy,
                wishes=self._wishes,
                roads=self._roads,
            )
        warn(prepared.travel.said)
        result, stopped = _solved(replace(task_of(prepared, seconds_max=self._seconds_max), processes=None))
        roster_ids, unfilled = keep_result(batch=batch, question=prepared, result=result)
        say_kept(stopped)
        return {
            "locality_id": locality_id,
            "provider_id": provider_id,
            "week": monday.isoformat(),
            "rosters": list(roster_ids),
            **_facts(prepared.problem, result, travel=self._roads, said=prepared.travel.said),
            "unfilled": unfilled,
            "stopped": stopped,
        }

    def every_week(self, monday: date, *, cluster: str | None, processes: int | None, again: bool) -> dict[str, Any]:

        refuse_no_monday(monday)
        with self._parts.sessions() as session:
            among = places_to_roster(session, monday=monday)
        weeks: list[WeekMade] = []
        with _pool(cluster=cluster, processes=processes) as pool, stoppable(words=STOPPING) as stop:
            batch = self._batch(monday, again=again)
            say(f"{len(among)} localities' weeks; solving on {cluster or 'this machine'}")
            for made in make_weeks(batch=batch, pool=pool, among=among, asked=stop.is_set):
                weeks.append(made)
                say(f"{len(weeks)} of {len(among)}: {_said(made)}")
        if stop.is_set():
            say(f"stopped: {len(weeks)} of {len(among)} are made and saved; the same command goes on with the rest")
        return {
            "week": monday.isoformat(),
            "localities": len(among),
            "made": sum(1 for made in weeks if made.roster_ids and not made.was_saved),
            "saved_before": sum(1 for made in weeks if made.was_saved),
            "failed": sum(1 for made in weeks if made.failed),
            "unfilled": sum(made.unfilled for made in weeks),
            "stopped": stop.is_set(),
            "weeks": [_week(made) for made in sorted(weeks, key=lambda made: (made.locality_id, made.provider_id))],
        }

    def mended(self, locality_id: LocalityId, provider_id: ProviderId, *, day: date, away: list[str]) -> dict[str, Any]:
        """The published roster of a day mended around workers who cannot come, kept as a draft."""
        parts = self._parts
        with parts.sessions() as session:
            question = prepare_replan(
                session,
                locality_id=locality_id,
                provider_id=provider_id,
                day=day,
                away=[WorkerId(worker) for worker in away],
                seed=self._seed,
                now=parts.clock(),
                policy=parts.policy,
                roads=self._roads,
            )
        warn(question.prepared.travel_said)
        with stoppable(words=STOPPING) as stop:
            rule = AnyOf((Seconds(self._seconds_max or 3.0), Cancelled(stop.is_set)))
            replanned = replan_prepared(question, stop=rule)
        with parts.sessions.begin() as session:
            roster_id = keep_replanned(
                session, question=question, replanned=replanned, now=parts.clock(), policy=parts.policy
            )
        say_kept(stop.is_set())
        return {
            "locality_id": locality_id,
            "provider_id": provider_id,
            "day": day.isoformat(),
            "roster": roster_id,
            "published": question.published_id,
            "away": sorted(question.away),
            **told(question, replanned, policy=parts.policy),
            "stopped": stop.is_set(),
        }

    def _batch(self, monday: date, *, again: bool) -> Batch:

        return Batch(
            sessions=self._parts.sessions,
            clock=self._parts.clock,
            policy=self._parts.policy,
            monday=monday,
            seed=self._seed,
            seconds_max=self._seconds_max,
            wishes=self._wishes,
            roads=self._roads,
            again=again,
        )


def roads_of(travel: str, *, data: Path) -> RoadSource | None:

    return source_of(travel, cache=data / "travel", progress=say)


def _solved(task: SolveTask) -> tuple[Result, bool]:
    """The roster, with its progress on standard error, and whether it was stopped."""
    bound = lower_bound(problem=task.problem)
    line = _Line()
    with stoppable(words=STOPPING) as stop:
        try:
            result = solve_reporting(task, stop.is_set, lambda at: line.show(at, bound))
        finally:
            line.end()
    return result, stop.is_set()


class _Line:
    """The search's progress: one line written over on a terminal, else a line now and then."""

    def __init__(self) -> None:
        self._on_terminal = sys.stderr.isatty()
        self._shown_at = float("-inf")

    def show(self, at: Progress, bound: int) -> None:
        now = time.monotonic()
        if not self._on_terminal and now - self._shown_at < LINE_EVERY_SECONDS:
            return
        self._shown_at = now
        words = f"{at.iterations:,} iterations, best {at.objective:,} (at least {bound:,}), {at.unfilled} unfilled"
        sys.stderr.write(f"\r{words}\x1b[K" if self._on_terminal else f"{words}\n")
        sys.stderr.flush()

    def end(self) -> None:
        if self._on_terminal and self._shown_at > 0:
            sys.stderr.write("\n")


@contextmanager
def _pool(*, cluster: str | None, processes: int | None) -> Iterator[Pool]:

    pool: Pool = (
        ProcessPool(processes=processes or os.cpu_count() or 1) if cluster is None else ClusterPool(address=cluster)
    )
    try:
        yield pool
    finally:
        pool.close()


def _facts(problem: Problem, result: Result, *, travel: RoadSource | None, said: tuple[str, ...]) -> dict[str, Any]:
    return {
        "worker_visits": sum(len(demand.slots) for demand in problem.demands),
        "unfilled": len(result.roster.unfilled),
        "objective": result.objective,
        "lower_bound": result.lower_bound,
        "iterations": result.iterations,
        "travel_minutes": sum(run.travel_seconds for run in result.roster.runs) // 60,
        "travel_attribution": "" if travel is None else travel.attribution,
        "said": list(said),
    }


def _week(made: WeekMade) -> dict[str, Any]:
    return {
        "locality_id": made.locality_id,
        "provider_id": made.provider_id,
        "rosters": list(made.roster_ids),
        "worker_visits": made.worker_visits,
        "unfilled": made.unfilled,
        "saved_before": made.was_saved,
        "failed": made.failed,
        "said": list(made.said),
    }


def _said(made: WeekMade) -> str:
    where = f"{made.locality_id}, {made.provider_id}"
    if made.failed:
        return f"{where}: not made: {made.failed}"
    how = "saved before" if made.was_saved else "made and saved"
    return "; ".join([f"{where}: {how}, {made.unfilled} of {made.worker_visits} unfilled", *made.said])


def say_kept(stopped: bool) -> None:  # noqa: FBT001 -- one word, said where it is called
    if stopped:
        say("stopped: the best roster found so far is kept as a draft")


def warn(said: tuple[str, ...]) -> None:
    for sentence in said:
        say(sentence)


def say(words: str) -> None:
    sys.stderr.write(f"popback: {words}\n")
    sys.stderr.flush()


def _listed(ids: list[Any]) -> str:
    return ", ".join(map(str, ids)) or "none"
