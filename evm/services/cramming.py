"""Looks for both kinds of call cramming in a provider's days and keeps what it finds as flags about workers.
Not the tests themselves (evm.domain.cramming), and no pay follows from a flag: the worker sees it and can reply."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy.orm import Session

from evm.domain.cramming import CrammedDay, CrammingTest, by_worker, in_roster
from evm.domain.finding import FindingCode
from evm.domain.ids import ProviderId, WorkerId
from evm.domain.policy import Policy
from evm.store import people, plans, visits
from evm.store.visits import WorkerFlag


@dataclass(frozen=True, slots=True, kw_only=True)
class Crammed:
    """What was found: every worker's test (flagged or not), and the planned worker-days that cannot be worked."""

    tests: tuple[CrammingTest, ...]
    days: tuple[CrammedDay, ...]


def find(
    session: Session, *, provider_id: ProviderId, since_day: date, until_day: date, now: datetime, policy: Policy
) -> Crammed:
    """Test the care days `[since_day, until_day)` on planned visits and their newest versions, and record flags that do not stand
    yet: per worker and period for cramming by the worker, per worker and day for cramming built into the roster."""
    happened = visits.newest(session, provider_id=provider_id, since_day=since_day, until_day=until_day)
    plan = plans.planned_visits(session, provider_id=provider_id, since_day=since_day, until_day=until_day)
    met = {one.customer for one in happened} | {
        one.customer_id for one in plan
    }  # some may be another provider's by now
    customers = people.customers(session, customer_ids=met)
    homes = {c.customer_id: c.home for c in customers}
    came = {slot.attendance.worker for one in happened for slot in one.slots if slot.attendance is not None}
    modes = people.modes(session, worker_ids=came | {w for one in plan for w in one.rostered if w is not None})
    found = Crammed(
        tests=by_worker(
            visits=happened,
            homes=homes,
            modes=modes,
            policy=policy,
            localities={c.customer_id: c.locality_id for c in customers},
        ),
        days=in_roster(
            plan=plan,
            homes=homes,
            modes=modes,
            policy=policy,
        ),
    )
    _record(session, _flags(found, provider_id, (since_day, until_day), now))
    return found


def _flags(found: Crammed, provider_id: ProviderId, period: tuple[date, date], now: datetime) -> list[WorkerFlag]:
    by_test = [
        _flag(
            FindingCode.CRAMMING_BY_WORKER, provider_id, test.worker, None, period, now, test.sentences, _numbers(test)
        )
        for test in found.tests
        if test.flagged
    ]
    by_day = [
        _flag(
            FindingCode.CRAMMING_IN_ROSTER,
            provider_id,
            crammed.worker,
            crammed.day,
            period,
            now,
            crammed.sentences,
            {"visits": list(crammed.visits), "late_seconds": crammed.late_seconds},
        )
        for crammed in found.days
    ]
    return by_test + by_day


def _numbers(test: CrammingTest) -> dict[str, Any]:
    return {
        "visits": list(test.visits),
        "pairs": test.pairs,
        "crammed": test.crammed,
        "expected": test.expected,
        "p_value": test.p_value,
        "freed_minutes": test.freed_minutes,
    }


def _flag(
    code: FindingCode,
    provider_id: ProviderId,
    worker: WorkerId,
    care_day: date | None,
    period: tuple[date, date],
    now: datetime,
    sentences: Sequence[str],
    numbers: dict[str, Any],
) -> WorkerFlag:
    return WorkerFlag(
        code=code.value,
        provider=provider_id,
        worker=worker,
        care_day=care_day,
        period_since=period[0],
        period_until=period[1],
        found_at=now,
        words=" ".join(sentences),
        body={"sentences": list(sentences), **numbers},
    )


def _record(session: Session, flags: Sequence[WorkerFlag]) -> None:
    """A day's flag stands once, whichever period it was found in; a worker's once for each period."""
    if not flags:
        return
    standing = visits.worker_flag_list(session, provider_id=flags[0].provider)
    known = {_identity(flag) for flag in standing}
    visits.add_worker_flags(session, flags=[flag for flag in flags if _identity(flag) not in known])


def _identity(flag: WorkerFlag) -> tuple[object, ...]:
    if flag.care_day is not None:
        return (flag.code, flag.worker, flag.care_day)
    return (flag.code, flag.worker, flag.period_since, flag.period_until)
