"""The rosters of many localities' weeks, made side by side: each saved as it comes, and none made twice for the same question. Not the
making of one (evm.services.roster_week) and not where it is solved (rostering.scale).

Each week is read in a transaction of its own and kept in another; a crash between loses the search and nothing that was saved."""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta

from sqlalchemy.orm import Session, sessionmaker

from evm.domain.ids import LocalityId, ProviderId
from evm.domain.policy import Policy
from evm.gateways.road_times import RoadSource
from evm.services.roster import RosterRefused
from evm.services.roster_problem import Wishes
from evm.services.roster_week import DAYS, PreparedWeek, days_of, keep_week, prepare_week, saved_week, task_of
from evm.store import rosters
from rostering.problem import ProblemError
from rostering.scale import Asked, Done, Pool, Task, never
from rostering.scale_week import solve_task
from rostering.solver import Result, RosterFaultError

ALONE_SHARE = 20
"""A day that has to be solved alone may take a twentieth of the week's seconds."""
Where = tuple[LocalityId, ProviderId]


@dataclass(frozen=True, slots=True, kw_only=True)
class WeekMade:
    """What came of one locality's week for one provider: its rosters by day, or in `failed` why there are none.

    `was_saved`: they were there already. `said` are findings about the travel times."""

    locality_id: LocalityId
    provider_id: ProviderId
    roster_ids: tuple[str, ...] = ()
    worker_visits: int = 0
    unfilled: int = 0
    was_saved: bool = False
    failed: str = ""
    said: tuple[str, ...] = ()


@dataclass(slots=True, kw_only=True)
class Batch:
    """What all weeks of a run have in common. `again`: solve anew what is saved already."""

    sessions: sessionmaker[Session]
    clock: Callable[[], datetime]
    policy: Policy
    monday: date
    seed: int
    seconds_max: float | None
    wishes: Wishes = field(default_factory=Wishes)
    roads: RoadSource | None = None
    again: bool = False


def places_to_roster(session: Session, *, monday: date) -> tuple[Where, ...]:
    """Every locality and provider with a visit planned in that week, in order of their ids."""
    return rosters.with_visits(session, since_day=monday, until_day=monday + timedelta(days=DAYS))


def make_weeks(*, batch: Batch, pool: Pool, among: Sequence[Where], asked: Asked = never) -> Iterator[WeekMade]:
    """Each locality's week as it is done: saved before it is told. Once `asked` answers True what is being solved is ended and kept, and
    nothing more is begun. Raises RoadsRefused for a source of travel times that is set up wrong, PoolLostError when the pool is gone."""
    ready: deque[WeekMade] = deque()
    questions: dict[str, PreparedWeek] = {}
    answers = pool.map_unordered(work=solve_task, tasks=_tasks(batch, among, ready, questions), asked=asked)
    for done in answers:
        yield from _drained(ready)
        yield _kept(batch, questions.pop(done.key), done)
    yield from _drained(ready)


def _tasks(
    batch: Batch, among: Sequence[Where], ready: deque[WeekMade], questions: dict[str, PreparedWeek]
) -> Iterator[Task]:
    """The weeks that are to be solved; what needs no solving is put on `ready`."""
    for locality_id, provider_id in among:
        try:
            with batch.sessions() as session:
                question = prepare_week(
                    session,
                    locality_id=locality_id,
                    provider_id=provider_id,
                    monday=batch.monday,
                    seed=batch.seed,
                    policy=batch.policy,
                    wishes=batch.wishes,
                    roads=batch.roads,
                )
                saved = () if batch.again else saved_week(session, prepared=question)
        except (RosterRefused, ProblemError) as refused:
            ready.append(WeekMade(locality_id=locality_id, provider_id=provider_id, failed=str(refused)))
            continue
        if saved:
            ready.append(_found(batch, question, saved))
            continue
        key = f"{locality_id}|{provider_id}|{batch.monday}|{question.sha256}"
        questions[key] = question
        yield Task(key=key, value=task_of(question, seconds_max=batch.seconds_max))


def _drained(ready: deque[WeekMade]) -> Iterator[WeekMade]:
    while ready:
        yield ready.popleft()


def _found(batch: Batch, question: PreparedWeek, roster_ids: tuple[str, ...]) -> WeekMade:
    with batch.sessions() as session:
        records = [rosters.roster(session, roster_id=roster_id) for roster_id in roster_ids]
    unfilled = sum(record.unfilled for record in records if record is not None)
    return _made(question, roster_ids=roster_ids, unfilled=unfilled, was_saved=True)


def _kept(batch: Batch, question: PreparedWeek, done: Done) -> WeekMade:
    failed = done.failed.split("\n", maxsplit=1)[0]
    if not failed:
        try:
            roster_ids, unfilled = keep_result(batch=batch, question=question, result=done.answer)
        except RosterRefused as refused:
            failed = refused.words
        except RosterFaultError as fault:  # a bug, said in full; the other localities are made all the same
            failed = f"the search made a roster that breaks a rule: {fault}"
        else:
            return _made(question, roster_ids=roster_ids, unfilled=unfilled, was_saved=False)
    return WeekMade(locality_id=question.locality_id, provider_id=question.provider_id, failed=failed)


def keep_result(*, batch: Batch, question: PreparedWeek, result: Result) -> tuple[tuple[str, ...], int]:
    """Keep a solved week in one transaction: its seven drafts and how many slots they leave unfilled. Raises RosterRefused."""
    alone = None if batch.seconds_max is None else batch.seconds_max / ALONE_SHARE
    days = days_of(question, result=result, policy=batch.policy, alone_seconds=alone)
    with batch.sessions.begin() as session:
        roster_ids = keep_week(session, prepared=question, days=days, now=batch.clock(), policy=batch.policy)
    return roster_ids, sum(len(answer.roster.unfilled) for _, answer in days)


def _made(question: PreparedWeek, *, roster_ids: tuple[str, ...], unfilled: int, was_saved: bool) -> WeekMade:
    assert len(roster_ids) == DAYS
    return WeekMade(
        locality_id=question.locality_id,
        provider_id=question.provider_id,
        roster_ids=roster_ids,
        worker_visits=sum(len(demand.slots) for demand in question.problem.demands),
        unfilled=unfilled,
        was_saved=was_saved,
        said=question.travel.said,
    )
