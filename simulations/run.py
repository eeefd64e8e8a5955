"""`popback demo`: a simulated locality through the whole product, end to end, and the score of it. The server is given (api.serve);
this module plays everybody else."""

import gc
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from fractions import Fraction
from pathlib import Path
from typing import Final, Protocol, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from sqlalchemy.orm import Session, sessionmaker

from evm.domain.billing.agreement import Agreement
from evm.domain.billing.invoice import ClaimLine as DomainLine
from evm.domain.billing.invoice import InvoiceClaim, Totals
from evm.domain.ids import AgreementId, CustomerId, VisitId, WorkerId
from evm.domain.policy import Policy
from evm.domain.popback import PopbackState
from evm.services import cramming, history, invoice, popback, reconcile, roster
from evm.store import money, plans, rosters
from rostering.ahead import getting_ready
from simulations import fleet as fleets
from simulations.clock import SimulatedClock, challenges
from simulations.days import local_instant, played_days
from simulations.fleet import Fleet
from simulations.history import history_rows
from simulations.load import COUNCIL, PROVIDER_ID, locality_id, seed_people, seed_plans
from simulations.play import Day, Moment
from simulations.popbacks import Wish, roster_day, wishes
from simulations.scenario import Scenario, load_scenario
from simulations.score import Score, period, score
from simulations.truth import ClaimLine, Truth, record
from simulations.world import build_world

ROSTER_ITERATIONS: Final = 2_000
INVOICE_NUMBER: Final = "HH-2026-11"
_OFFICE_OPENS_MINUTE: Final = 9 * 60

T = TypeVar("T")

__all__ = ["DemoServer", "challenges", "demo_clock", "run_demo"]


class DemoServer(fleets.Server, Protocol):
    """What the command gives: an empty, migrated database, a broker and an ingest that all read `clock`. Its challenges come from
    `challenges(seed=…)`, and it sweeps nothing by itself while the demo runs."""

    @property
    def sessions(self) -> sessionmaker[Session]: ...
    @property
    def clock(self) -> SimulatedClock: ...
    @property
    def policy(self) -> Policy: ...
    def tell_broker(self) -> None:
        """The device table was changed: a broker that keeps files of it is to be told. Phones that are early try again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rostered:
    """The next week's roster as published."""

    visits: int
    unfilled: int
    violations: int


def demo_clock(*, scenario: Scenario | None = None) -> SimulatedClock:
    """The clock to give to the server: it stands before the played day begins."""
    chosen = scenario or load_scenario()
    return SimulatedClock(start=local_instant(chosen.played_day, 5 * 60, chosen.zone))


def run_demo(
    *,
    seed: int,
    server: DemoServer,
    progress: bool = True,
    keep_open: bool = False,
    scenario: Scenario | None = None,
) -> dict[str, int | float]:
    """Play the demo for `seed` against `server` and answer every key of targets.md but `seconds`, which is the command's to measure.

    With `keep_open` the clock goes on at real speed afterwards. Raises NoReceiptError when a device waits in vain."""
    with (
        _rarely_collected(),
        _bars(progress) as bars,
        tempfile.TemporaryDirectory(prefix="popback-phones-") as directory,
    ):
        demo = _Demo(seed, server, scenario or load_scenario(), bars, Path(directory))
        with getting_ready() as ready:
            result = demo.run(ready)
    if keep_open:
        server.clock.run_on()
    return result


@contextmanager
def _rarely_collected() -> Iterator[None]:
    """Let Python look for reference cycles rarely: with a month of evidence in memory it would spend a third of the run on that."""
    before = gc.get_threshold()
    gc.set_threshold(100_000, 20, 100)
    try:
        yield
    finally:
        gc.set_threshold(*before)


def _bars(shown: bool) -> Progress:  # noqa: FBT001 -- one switch
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        disable=not shown,
    )


class _Demo:
    """One run, stage by stage."""

    def __init__(self, seed: int, server: DemoServer, scenario: Scenario, bars: Progress, directory: Path) -> None:
        self._seed = seed
        self._server = server
        self._scenario = scenario
        self._bars = bars
        self._directory = directory

    def run(self, ready: Callable[[], None]) -> dict[str, int | float]:
        """The whole demo; `ready` waits until the roster's search is compiled."""
        truth = self._stage("A locality, its people and 28 days of truth", self._truth)
        asked = wishes(truth)
        fleet = Fleet(world=truth.world, server=self._server, clock=self._server.clock, directory=self._directory)
        self._stage("People and plans into the database", lambda: self._seed_database(truth, fleet))
        self._stage("27 days of history: stored evidence, reconciled", lambda: self._import(truth))
        try:
            self._play(truth, fleet, asked)
        finally:
            fleet.stop()
        self._open_office()
        self._stage("Call cramming, by workers and in rosters", lambda: self._cramming(truth))
        self._stage("The roster's search compiled (the first time only)", ready)
        kept = self._stage("Next week's roster: made, verified, published", lambda: self._roster(truth))
        totals = self._stage("The provider's invoice, line by line", lambda: self._invoice(truth))
        with self._server.sessions() as session:
            scored = score(session, truth=truth, sent=fleet.sent_ids)
            popbacks = _popback_keys(session, truth, len(asked))
        return {"seed": self._seed, **scored, **_invoice_keys(truth, totals), **_roster_keys(kept), **popbacks}

    def _stage(self, words: str, work: Callable[[], T]) -> T:
        task = self._bars.add_task(words, total=1)
        done = work()
        self._bars.advance(task)
        return done

    def _truth(self) -> Truth:
        return record(build_world(scenario=self._scenario, seed=self._seed))

    def _seed_database(self, truth: Truth, fleet: Fleet) -> None:
        with self._server.sessions.begin() as session:
            seed_people(session, world=truth.world)
            seed_plans(session, truth=truth, policy=self._server.policy)
            fleet.enrol(session, now=self._server.clock.now())
            money.add_agreements(session, agreements=[_agreement(truth)])
        self._server.tell_broker()

    def _import(self, truth: Truth) -> None:
        rows = history_rows(truth)
        since, until = period(truth)
        now, policy = self._server.clock.now(), self._server.policy
        with self._server.sessions.begin() as session:
            history.import_evidence(session, rows=rows.evidence, payloads=rows.payloads, now=now)
            reconcile.reconcile_days(
                session,
                provider_id=PROVIDER_ID,
                since_day=since,
                until_day=until - timedelta(days=1),
                now=now,
                policy=policy,
            )
            today = plans.planned_visits(
                session, provider_id=PROVIDER_ID, since_day=until - timedelta(days=1), until_day=until
            )
            roster.publish_deadlines(session, visits=today, policy=policy)

    def _play(self, truth: Truth, fleet: Fleet, asked: tuple[Wish, ...]) -> None:
        task = self._bars.add_task("The 28th day, through real MQTT", total=None)
        day = Day(
            truth=truth,
            fleet=fleet,
            clock=self._server.clock,
            sessions=self._server.sessions,
            policy=self._server.policy,
            progress=lambda done, whole: self._bars.update(task, completed=done, total=whole),
        )
        day.play(moments=[Moment(at=wish.asked_at, act=self._asking(fleet, wish)) for wish in asked])

    def _asking(self, fleet: Fleet, wish: Wish) -> Callable[[], None]:
        def ask() -> None:
            if wish.worker is not None:
                fleet.ask_popback(
                    wish.worker,
                    at=wish.asked_at,
                    customer_id=wish.customer_id,
                    wanted_at=wish.wanted_at,
                    minutes=wish.minutes,
                )
                fleet.settle()
                with self._server.sessions.begin() as session:
                    popback.answer_pending(session, now=wish.asked_at, policy=self._server.policy)
                return
            with self._server.sessions.begin() as session:
                popback.ask(
                    session,
                    customer_id=CustomerId(wish.customer_id),
                    asked_at=wish.asked_at,
                    asked_by="customer",
                    wanted_at=wish.wanted_at,
                    minutes=wish.minutes,
                    workers_needed=1,
                    now=wish.asked_at,
                    policy=self._server.policy,
                )

        return ask

    def _open_office(self) -> None:
        """The next morning: everything has drained, and the office looks at it."""
        day = self._scenario.played_day + timedelta(days=1)
        self._server.clock.set(local_instant(day, _OFFICE_OPENS_MINUTE, self._scenario.zone))

    def _cramming(self, truth: Truth) -> None:
        since, until = period(truth)
        with self._server.sessions.begin() as session:
            cramming.find(
                session,
                provider_id=PROVIDER_ID,
                since_day=since,
                until_day=until,
                now=self._server.clock.now(),
                policy=self._server.policy,
            )

    def _roster(self, truth: Truth) -> _Rostered:
        now, policy = self._server.clock.now(), self._server.policy
        day = roster_day(truth)
        with self._server.sessions.begin() as session:
            roster_id = roster.make(
                session,
                locality_id=locality_id(truth.world),
                provider_id=PROVIDER_ID,
                day=day,
                seed=self._seed,
                now=now,
                policy=policy,
                wishes=roster.Wishes(iterations_max=ROSTER_ITERATIONS),
            )
            roster.publish(session, roster_id=roster_id, by="demo", now=now, policy=policy)
            kept = rosters.roster(session, roster_id=roster_id)
            assert kept is not None
            planned = plans.planned_visits(
                session, provider_id=PROVIDER_ID, since_day=day, until_day=day + timedelta(days=1)
            )
        return _Rostered(visits=len(planned), unfilled=len(kept.body["unfilled"]), violations=kept.violations)

    def _invoice(self, truth: Truth) -> Totals:
        now = self._server.clock.now()
        with self._server.sessions.begin() as session:
            invoice_id = invoice.submit(session, invoice=_claim(truth), now=now)
        with self._server.sessions.begin() as session:
            return invoice.judge(session, invoice_id=invoice_id, now=now, policy=self._server.policy)


def _agreement(truth: Truth) -> Agreement:
    """Actual minutes capped at planned, at an exact rate a minute."""
    return Agreement(
        agreement_id=AgreementId("city-harbour"),
        version=1,
        council=COUNCIL,
        provider=PROVIDER_ID,
        effective_from=played_days(truth.world)[0],
        rate_pence_per_minute=Fraction(truth.world.scenario.invoice.pence_per_minute),
    )


def _claim(truth: Truth) -> InvoiceClaim:
    since, until = period(truth)
    lines = truth.claims()
    return InvoiceClaim(
        provider=PROVIDER_ID,
        council=COUNCIL,
        number=INVOICE_NUMBER,
        period_since=since,
        period_until=until,
        claimed_pence=sum(line.pence for line in lines),
        lines=tuple(_line(number, line) for number, line in enumerate(lines, start=1)),
    )


def _line(number: int, line: ClaimLine) -> DomainLine:
    return DomainLine(
        line_no=number,
        visit=None if line.visit_id is None else VisitId(line.visit_id),
        slot=line.slot,
        customer=CustomerId(line.customer_id),
        worker=None if line.worker_id is None else WorkerId(line.worker_id),
        start=line.start,
        minutes_claimed=line.minutes,
        pence_claimed=line.pence,
    )


def _invoice_keys(truth: Truth, totals: Totals) -> Score:
    return {
        "invoice_claimed_pence": totals.claimed_pence,
        "invoice_expected_pence": truth.invoice_expected_pence(),
        "invoice_payable_pence": totals.payable_pence,
        "invoice_reduced_pence": totals.reduced_pence,
        "invoice_withheld_pence": totals.withheld_pence,
        "invoice_disallowed_pence": totals.disallowed_pence,
    }


def _roster_keys(kept: _Rostered) -> Score:
    return {
        "roster_visits": kept.visits,
        "roster_unfilled": kept.unfilled,
        "roster_violations": kept.violations,
    }


def _popback_keys(session: Session, truth: Truth, asked: int) -> Score:
    """`promised`: accepted when asked; `kept`: of those, with a worker on every slot in the published roster."""
    day = roster_day(truth)
    visits = plans.planned_visits(session, provider_id=PROVIDER_ID, since_day=day, until_day=day + timedelta(days=1))
    rostered = {visit.visit_id for visit in visits if visit.popback and None not in visit.rostered}
    promised = [
        request
        for state in (PopbackState.PROMISED, PopbackState.KEPT)
        for request in plans.list_popback_requests(session, state=state)
    ]
    return {
        "popbacks_asked": asked,
        "popbacks_promised": len(promised),
        "popbacks_kept": sum(request.visit_id in rostered for request in promised),
    }
