"""A week solved by days that were taken apart (`week_days`), then put right day by day; the days' searches are `solve`'s.

One process after another; `week_rounds` does the same in several at once and within a time.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from rostering.explain import score
from rostering.lower_bound import lower_bound
from rostering.problem import Demand, Problem
from rostering.roster import Roster, Run, Unfilled
from rostering.search.compiled import compile_problem
from rostering.search.engine import Stops
from rostering.search.islands import IslandsEngine
from rostering.solver import Params, Result, RosterFaultError, chosen, roster_of
from rostering.stop import Progress, StopRule
from rostering.teams import choose_teams
from rostering.verify import violations
from rostering.week_days import Day, day_within, days_apart, fresh_days

STRANGER_SECONDS = 1_200


@dataclass(frozen=True, slots=True, kw_only=True)
class Teams:
    """The workers whom each customer should see, by customer; a visit by anybody else costs as much as `seconds` of travel."""

    workers: Mapping[str, frozenset[str]] = field(default_factory=dict)
    seconds: int = STRANGER_SECONDS


NO_TEAMS = Teams()


@dataclass(frozen=True, slots=True, kw_only=True)
class DayResult:
    """A day's roster that passed the verifier, and how the search came to it, as in Result."""

    roster: Roster
    iterations: int
    curve: tuple[tuple[int, int], ...]


@dataclass(slots=True, kw_only=True)
class Week:
    """The days solved so far, put together. `runs` and `unfilled` are by day."""

    problem: Problem
    runs: dict[int, tuple[Run, ...]] = field(default_factory=dict)
    unfilled: dict[int, tuple[Unfilled, ...]] = field(default_factory=dict)
    iterations: int = 0
    curve: list[tuple[int, int]] = field(default_factory=list)

    def keep(self, *, day: Day, result: DayResult) -> None:
        """Take over a day's result in place of what the day had."""
        self.runs[day.number] = result.roster.runs
        self.unfilled[day.number] = (*result.roster.unfilled, *day.unfilled)
        self.curve += [(self.iterations + at, points) for at, points in result.curve]
        self.iterations += result.iterations

    def roster(self) -> Roster:
        """All days' runs as one roster."""
        return Roster(
            runs=tuple(run for _, runs in sorted(self.runs.items()) for run in runs),
            unfilled=tuple(slot for _, slots in sorted(self.unfilled.items()) for slot in slots),
        )

    def verified(self) -> Roster:
        """The roster, once the verifier has passed it. Raises RosterFaultError."""
        roster = self.roster()
        wrong = violations(problem=self.problem, roster=roster)
        if wrong:
            raise RosterFaultError(wrong)
        return roster

    def result(self) -> Result:
        """The verified week with its points and a bound on them. Raises RosterFaultError."""
        roster = self.verified()
        return Result(
            roster=roster,
            objective=score(problem=self.problem, roster=roster).total,
            lower_bound=sum(lower_bound(problem=day) for day in fresh_days(problem=self.problem)),
            iterations=self.iterations,
            curve=tuple(self.curve),
        )


def solve_week(
    *,
    problem: Problem,
    stop_for_day: Callable[[int], StopRule],
    seed: int,
    params: Params | None = None,
    stranger_seconds: int = STRANGER_SECONDS,
    report: Callable[[Progress], None] | None = None,
) -> Result:
    """One roster for all days of the problem, by days; `stop_for_day(day)` gives each search of a day its own stop rule.

    Hours limits hold over the whole horizon, daily and weekly rest and a customer's gaps between days. Days that leave
    visits unfilled are searched once more, given what the others left over. A worker who is not of the customer's team
    (`teams`) costs `stranger_seconds` of travel a visit in the search; 0 does without teams. Raises RosterFaultError when the whole does
    not pass the verifier. Iterations and curve are of all searches in turn; repeatable as `solve` is.
    """
    week, days, teams = Week(problem=problem), days_apart(problem=problem), NO_TEAMS
    if stranger_seconds and len(days) > 1:
        teams = teams_for(problem=problem, days=days, seed=seed, stranger_seconds=stranger_seconds)
    for day in days:
        result = solve_day(day=day, stop=stop_for_day(day.number), seed=seed, params=params, teams=teams, report=report)
        week.keep(day=day, result=result)
    for number in [number for number, slots in sorted(week.unfilled.items()) if slots]:
        mend_day(
            week=week, number=number, stop=stop_for_day(number), seed=seed, params=params, teams=teams, report=report
        )
    return week.result()


def teams_for(
    *, problem: Problem, days: Sequence[Day], seed: int, stranger_seconds: int, effort_seconds: float = 0.0
) -> Teams:
    """The teams for a week whose days are known, as `choose_teams` finds them."""
    workers = choose_teams(
        problem=problem, days=days, seed=seed, stranger_seconds=stranger_seconds, effort_seconds=effort_seconds
    )
    return Teams(workers=workers, seconds=stranger_seconds)


def solve_day(
    *,
    day: Day,
    stop: StopRule,
    seed: int,
    params: Params | None = None,
    teams: Teams = NO_TEAMS,
    start: tuple[Run, ...] = (),
    report: Callable[[Progress], None] | None = None,
) -> DayResult:
    """One day's verified result, searched from the runs of `start` as far as they still fit into the day.

    It is searched by one process unless `params` says how many.
    """
    compiled = compile_problem(problem=with_teams(problem=day.problem, teams=teams))
    params = params or Params()
    engine = chosen(compiled=compiled, params=params)
    if params.processes is not None and params.processes > 1:
        engine = IslandsEngine(engine=engine, processes=params.processes)
    answer = engine.search(
        compiled=compiled,
        stop=stop,
        seed=seed + day.number,
        start=_stops(day.problem, start, [(duty.worker, duty.start, duty.end) for duty in compiled.duties]) or None,
        report=report,
    )
    roster = roster_of(compiled=compiled, answer=answer)
    wrong = violations(problem=day.problem, roster=roster)
    if wrong:
        raise RosterFaultError(wrong)
    return DayResult(roster=roster, iterations=answer.iterations, curve=answer.curve)


def mend_day(
    *,
    week: Week,
    number: int,
    stop: StopRule,
    seed: int,
    params: Params | None = None,
    teams: Teams = NO_TEAMS,
    report: Callable[[Progress], None] | None = None,
) -> None:
    """Search a day again with all that the other days left over; the better of the two stays."""
    day = day_within(problem=week.problem, number=number, others=week.runs)
    start = week.runs[number]
    result = solve_day(day=day, stop=stop, seed=seed, params=params, teams=teams, start=start, report=report)
    before = _points(day.problem, Roster(runs=start, unfilled=week.unfilled[number]), teams)
    after = _points(
        day.problem, Roster(runs=result.roster.runs, unfilled=(*result.roster.unfilled, *day.unfilled)), teams
    )
    if after < before:
        week.keep(day=day, result=result)


def with_teams(*, problem: Problem, teams: Teams) -> Problem:
    """The problem with each customer's team as the preferred workers of those visits that prefer nobody."""
    if not teams.workers:
        return problem

    def preferring(demand: Demand) -> Demand:
        team = teams.workers.get(demand.customer)
        return replace(demand, preferred_workers=team) if team and not demand.preferred_workers else demand

    points = teams.seconds * max(1, problem.weights.travel)
    weights = replace(problem.weights, not_preferred=max(problem.weights.not_preferred, points))
    return replace(problem, demands=tuple(preferring(demand) for demand in problem.demands), weights=weights)


def _points(problem: Problem, roster: Roster, teams: Teams) -> int:
    """The roster's points as a day's search counts them; `problem` may lack visits that are unfilled."""
    known = {demand.id for demand in problem.demands}
    lost = [slot for slot in roster.unfilled if slot.visit not in known]
    within = Roster(runs=roster.runs, unfilled=tuple(slot for slot in roster.unfilled if slot.visit in known))
    given = with_teams(problem=problem, teams=teams)
    return score(problem=given, roster=within).total + problem.weights.unfilled * len(lost)


def _stops(problem: Problem, runs: tuple[Run, ...], duties: list[tuple[int, int, int]]) -> dict[int, Stops]:
    """Runs as an engine's warm start: the stops of each duty that has room for the whole run, and no half double-ups."""
    demands = {demand.id: d for d, demand in enumerate(problem.demands)}
    workers = {worker.id: w for w, worker in enumerate(problem.workers)}
    made: dict[int, list[tuple[int, int, int]]] = defaultdict(list)
    for run in runs:
        for r, (w, start, end) in enumerate(duties):
            if w == workers[run.worker] and start <= run.leave and run.back <= end:
                made[r] += [(demands[s.visit], s.slot, s.start) for s in run.stops if s.visit in demands]
                break
    there = Counter(d for stops in made.values() for d, _, _ in stops)
    whole = {d for d, slots in there.items() if slots == len(problem.demands[d].slots)}
    kept = {r: sorted((s for s in stops if s[0] in whole), key=lambda stop: stop[2]) for r, stops in made.items()}
    return {r: tuple(stops) for r, stops in kept.items() if stops}
