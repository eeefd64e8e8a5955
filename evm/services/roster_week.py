"""A locality's week as one question and seven drafts: seven days' problems joined, the answer taken apart and stored together. Not the
search (rostering.solver) and not one day's making (evm.services.roster).

The week's places are those of all its days; a second of the week is the day's number times 86,400 plus the second of the day."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

from sqlalchemy.orm import Session

from evm.domain.ids import LocalityId, ProviderId, WorkerId
from evm.domain.policy import Policy
from evm.gateways.road_times import RoadSource
from evm.services.localities import not_commissioned
from evm.services.roster import RosterRefused
from evm.services.roster_drafts import Prepared, add_solved, travel_between
from evm.services.roster_problem import Day, Wishes, input_sha256, load_day, places_of, problem_of
from evm.services.roster_runs import Placed, runs_of
from evm.services.roster_travel import TravelFound
from evm.store import rosters
from evm.store.rosters import PlannedStint, RosterState
from rostering.explain import score
from rostering.lower_bound import lower_bound
from rostering.problem import SECONDS_PER_DAY, Demand, Problem, Shift, Travel, Window, Worker
from rostering.roster import Roster
from rostering.scale_week import SolveTask
from rostering.solver import Params, Result, solve
from rostering.stop import Iterations, Seconds, StopRule
from rostering.verify import violations

DAYS = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedWeek:
    """The question a week's rosters answer. `days` have the week's own stints left out: they are what is asked.

    `problem` has ids, places by number and times, and no name, address or coordinate: it may be solved on another machine.
    `sha256` is of the question and the seed: what is saved under it need not be solved again."""

    locality_id: LocalityId
    provider_id: ProviderId
    monday: date
    days: tuple[Day, ...]
    problem: Problem
    travel: TravelFound
    wishes: Wishes
    seed: int
    sha256: str


def prepare_week(
    session: Session,
    *,
    locality_id: LocalityId,
    provider_id: ProviderId,
    monday: date,
    seed: int,
    policy: Policy,
    wishes: Wishes | None = None,
    roads: RoadSource | None = None,
) -> PreparedWeek:
    """Read everything the week depends on. Raises RosterRefused for a day that is no Monday or a provider who is not commissioned there on
    some day of it, RoadsRefused for a source of travel times that is set up wrong."""
    days = _load_days(session, locality_id=locality_id, provider_id=provider_id, monday=monday, policy=policy)
    found = travel_between(days[0], policy=policy, roads=roads)
    return _prepared(days, found=found, seed=seed, policy=policy, wishes=wishes or Wishes())


def saved_week(session: Session, *, prepared: PreparedWeek) -> tuple[str, ...]:
    """The rosters, in order of days, that answer this very question already; none when one of them is missing or superseded."""
    records = rosters.list_rosters(
        session,
        locality_id=prepared.locality_id,
        provider_id=prepared.provider_id,
        since_day=prepared.monday,
        until_day=prepared.monday + timedelta(days=DAYS),
    )
    found = {
        record.day: record.roster_id
        for record in records
        if record.state is not RosterState.SUPERSEDED and record.body.get("week", {}).get("sha256") == prepared.sha256
    }
    return tuple(found[day.day] for day in prepared.days) if len(found) == DAYS else ()


def days_of(
    prepared: PreparedWeek, *, result: Result, policy: Policy, alone_seconds: float | None = None
) -> tuple[tuple[Prepared, Result], ...]:
    """The week's answer as a question and an answer for each day, each judged beside the other days' visits.

    A day that breaks a rule which the week does not know (a limit of hours a day) is solved alone, for the wished iterations or
    `alone_seconds`, with the week's workers of that day and close to its answer."""

    def stop() -> StopRule:
        return Iterations(prepared.wishes.iterations_max) if alone_seconds is None else Seconds(alone_seconds)

    return tuple(_day_of(prepared, number, result=result, policy=policy, stop=stop) for number in range(DAYS))


def keep_week(
    session: Session,
    *,
    prepared: PreparedWeek,
    days: Sequence[tuple[Prepared, Result]],
    now: datetime,
    policy: Policy,
) -> tuple[str, ...]:
    """Store the seven drafts in the caller's one transaction; their ids. Raises RosterRefused when what the week was made from has changed
    meanwhile."""
    again = _load_days(
        session,
        locality_id=prepared.locality_id,
        provider_id=prepared.provider_id,
        monday=prepared.monday,
        policy=policy,
    )
    same = places_of(again[0]) == places_of(prepared.days[0])
    found = prepared.travel if same else travel_between(again[0], policy=policy, roads=None)
    fresh = _prepared(again, found=found, seed=prepared.seed, policy=policy, wishes=prepared.wishes)
    if fresh.sha256 != prepared.sha256:
        raise RosterRefused("Plans or people changed while the week was made: make it again.")
    week = {"monday": prepared.monday.isoformat(), "sha256": prepared.sha256, "seed": prepared.seed}
    return tuple(
        add_solved(session, prepared=day, result=result, now=now, policy=policy, week=week) for day, result in days
    )


def refuse_no_monday(day: date) -> None:
    """Raises RosterRefused for a day that begins no week."""
    if day.weekday() != 0:
        raise RosterRefused(f"{day} is no Monday: name the week by its Monday, {day - timedelta(day.weekday())}.")


def _load_days(
    session: Session, *, locality_id: LocalityId, provider_id: ProviderId, monday: date, policy: Policy
) -> tuple[Day, ...]:
    """The seven days with the same people in each, and without the week's own stints."""
    if monday.weekday() != 0:
        raise RosterRefused(
            f"{monday} is no Monday: name the week by its Monday, {monday - timedelta(monday.weekday())}."
        )
    dates = [monday + timedelta(days=number) for number in range(DAYS)]
    for day in dates:
        words = not_commissioned(session, provider_id=provider_id, locality_id=locality_id, on=day)
        if words is not None:
            raise RosterRefused(f"No roster is generated: {words}.")
    days = [
        load_day(session, locality_id=locality_id, provider_id=provider_id, day=day, policy=policy) for day in dates
    ]
    customers = {key: value for day in days for key, value in day.customers.items()}
    since, until = days[0].origin, days[-1].until
    return tuple(
        replace(
            day,
            customers=customers,
            stints=tuple(stint for stint in day.stints if not since <= stint.start < until),
        )
        for day in days
    )


def _prepared(days: tuple[Day, ...], *, found: TravelFound, seed: int, policy: Policy, wishes: Wishes) -> PreparedWeek:
    problem = _joined([problem_of(day, policy=policy, wishes=wishes, travel=found.travel) for day in days], days=days)
    problem = replace(problem, weights=replace(problem.weights, stranger=wishes.stranger_points))
    digest = hashlib.sha256(f"{input_sha256(problem)}|{seed}".encode()).hexdigest()
    return PreparedWeek(
        locality_id=days[0].locality_id,
        provider_id=days[0].provider_id,
        monday=days[0].day,
        days=days,
        problem=problem,
        travel=found,
        wishes=wishes,
        seed=seed,
        sha256=digest,
    )


def _joined(problems: Sequence[Problem], *, days: Sequence[Day]) -> Problem:
    first = problems[0]
    workers = tuple(
        _worker(number, problems=problems, week_seconds=days[0].workers[number].hours_week_max * 3_600)
        for number in range(len(first.workers))
    )
    used = {worker.mode for worker in workers} or {next(iter(first.travel.seconds_by_mode))}
    return replace(
        first,
        demands=tuple(
            _demand(demand, number=number, problem=problem, workers=workers)
            for number, problem in enumerate(problems)
            for demand in problem.demands
        ),
        workers=workers,
        travel=Travel({mode: first.travel.seconds_by_mode[mode] for mode in sorted(used)}),
        horizon=Shift(0, DAYS * SECONDS_PER_DAY),
    )


def _worker(position: int, *, problems: Sequence[Problem], week_seconds: int) -> Worker:
    """A worker of the week: the days' shifts one after another, every skill they have on some day, the week's hours."""
    daily = [problem.workers[position] for problem in problems]
    shifts: list[Shift] = []
    for number, worker in enumerate(daily):
        for shift in worker.shifts:
            start, end = (number * SECONDS_PER_DAY + second for second in (shift.start, shift.end))
            if shifts and start <= shifts[-1].end:
                shifts[-1] = Shift(shifts[-1].start, max(shifts[-1].end, end))
            else:
                shifts.append(Shift(start, end))
    return replace(
        daily[0],
        shifts=tuple(shifts),
        skills=frozenset[str]().union(*(worker.skills for worker in daily)),
        hours_limit_seconds=week_seconds,
    )


def _demand(demand: Demand, *, number: int, problem: Problem, workers: Sequence[Worker]) -> Demand:
    """The demand in seconds of the week; whoever has lost, or not yet gained, a skill it needs that day is excluded from it."""
    later = number * SECONDS_PER_DAY
    needed = frozenset[str]().union(*(slot.skills for slot in demand.slots))
    today = {worker.id: worker.skills for worker in problem.workers}
    unable = {worker.id for worker in workers if needed <= worker.skills and not needed <= today[worker.id]}
    return replace(
        demand,
        windows=tuple(Window(window.earliest + later, window.latest + later) for window in demand.windows),
        preferred_start=_shifted(demand.preferred_start, later),
        pinned_start=_shifted(demand.pinned_start, later),
        excluded_workers=demand.excluded_workers | unable,
    )


def _shifted(second: int | None, by: int) -> int | None:
    return None if second is None else second + by


def _day_of(
    prepared: PreparedWeek, number: int, *, result: Result, policy: Policy, stop: Callable[[], StopRule]
) -> tuple[Prepared, Result]:
    own = prepared.days[number]
    day = replace(own, stints=(*own.stints, *_stints_of_others(prepared, number, roster=result.roster)))
    problem = problem_of(day, policy=policy, wishes=prepared.wishes, travel=prepared.travel.travel)
    asked = Prepared(
        day=day,
        problem=problem,
        wishes=prepared.wishes,
        seed=prepared.seed,
        travel_said=prepared.travel.said,
    )
    roster = _roster_of_day(problem, number, roster=result.roster)
    if violations(problem=problem, roster=roster):
        roster = _alone(prepared, asked, number=number, week=result.roster, roster=roster, stop=stop()).roster
    return asked, Result(
        roster=roster,
        objective=score(problem=problem, roster=roster).total,
        lower_bound=lower_bound(problem=problem),
        iterations=result.iterations,
        curve=(),
    )


def _stints_of_others(prepared: PreparedWeek, number: int, *, roster: Roster) -> list[PlannedStint]:
    """What the week's answer has its workers do on the other days."""
    found = []
    for run in roster.runs:
        for stop in run.stops:
            of = _day_number(prepared, stop.visit)
            if of == number:
                continue
            day = prepared.days[of]
            found.append(
                PlannedStint(
                    worker_id=WorkerId(run.worker),
                    customer_id=day.visit(stop.visit).customer_id,
                    start=day.instant(stop.start - of * SECONDS_PER_DAY),
                    minutes=(stop.end - stop.start) // 60,
                )
            )
    return found


def _day_number(prepared: PreparedWeek, visit: str) -> int:
    return next(number for number, day in enumerate(prepared.days) if visit in day.by_id)


def _roster_of_day(problem: Problem, number: int, *, roster: Roster) -> Roster:
    demands = problem.demand_by_id()
    placed: defaultdict[str, list[Placed]] = defaultdict(list)
    for run in roster.runs:
        for stop in run.stops:
            if stop.visit in demands:
                placed[run.worker].append((demands[stop.visit], stop.slot, stop.start - number * SECONDS_PER_DAY))
    unfilled = tuple(each for each in roster.unfilled if each.visit in demands)
    return Roster(runs=runs_of(problem=problem, placed=placed), unfilled=unfilled)


def _alone(
    prepared: PreparedWeek, asked: Prepared, *, number: int, week: Roster, roster: Roster, stop: StopRule
) -> Result:
    """The day solved by itself by those who work on it in the week's answer, each customer's own preferred. Nobody works on another day
    for it, nor longer than the week's hours leave: the other days stand."""
    problem = asked.problem
    chosen: defaultdict[str, set[str]] = defaultdict(set)
    for (visit, _), (worker, _) in roster.starts().items():
        chosen[visit].add(worker)
    elsewhere: defaultdict[str, int] = defaultdict(int)
    for run in week.runs:
        if run.leave // SECONDS_PER_DAY != number:
            elsewhere[run.worker] += run.back - run.leave
    working = {run.worker for run in roster.runs}
    limits = {worker.id: worker.hours_limit_seconds for worker in prepared.problem.workers}
    closer = replace(
        problem,
        demands=tuple(
            replace(demand, preferred_workers=demand.preferred_workers | chosen[demand.id])
            for demand in problem.demands
        ),
        workers=tuple(
            _held(worker, is_working=worker.id in working, left=(limits[worker.id] or 0) - elsewhere[worker.id])
            for worker in problem.workers
        ),
    )
    params = Params(effort_seconds=prepared.wishes.effort_seconds, processes=1)
    return solve(problem=closer, stop=stop, seed=prepared.seed, params=params)


def _held(worker: Worker, *, is_working: bool, left: int) -> Worker:
    limit = max(0, min(left, worker.hours_limit_seconds or 0))
    return replace(worker, shifts=worker.shifts if is_working else (), hours_limit_seconds=limit)


def task_of(prepared: PreparedWeek, *, seconds_max: float | None) -> SolveTask:
    """The week as a piece of work: for `seconds_max`, or, where that is None, for the wished iterations, as many for each day."""
    return SolveTask(
        problem=prepared.problem,
        seed=prepared.seed,
        iterations_max=DAYS * prepared.wishes.iterations_max if seconds_max is None else None,
        effort_seconds=prepared.wishes.effort_seconds,
        seconds_max=seconds_max,
    )
