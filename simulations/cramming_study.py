"""How well cramming by workers is told from honest haste, measured on many generated months: the table in docs/simulation.md. It reads the
truth's stays as visits directly, without devices, server or database; not the demo.

    python -m simulations.cramming_study --seeds 101-120"""

import argparse
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from evm.domain.cramming import by_worker
from evm.domain.evidence import Grade
from evm.domain.ids import CustomerId, ProviderId, VisitId, WorkerId
from evm.domain.people import TravelMode
from evm.domain.place import Home
from evm.domain.policy import Policy
from evm.domain.visit import Attendance, SlotRecord, Visit, VisitOutcome
from simulations.behaviour import Stay
from simulations.scenario import load_scenario
from simulations.truth import Truth, evidenced_minutes, record
from simulations.world import World, build_world

_RATES: Final = (0.0, 0.1, 0.25, 0.4, 0.6, 0.8, 1.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Workers over all months of one rate: `true` cram, `flagged` were flagged, of which `false` are honest."""

    true: int
    flagged: int
    false: int

    @property
    def precision(self) -> float:
        return (self.flagged - self.false) / self.flagged if self.flagged else 1.0

    @property
    def recall(self) -> float:
        return (self.flagged - self.false) / self.true if self.true else 1.0


def month(*, seed: int, early_after_sent_away: float, crammed: tuple[float, ...] | None = None) -> Truth:
    """One generated month in which honest workers come early to the next customer after this share of the visits cut short, and
    crammers cram between these shares of theirs (the scenario's unless given)."""
    scenario = load_scenario()
    honest = replace(scenario.honest, early_after_sent_away=early_after_sent_away)
    cramming = replace(scenario.cramming, share_of_pairs=crammed or scenario.cramming.share_of_pairs)
    return record(build_world(scenario=replace(scenario, honest=honest, cramming=cramming), seed=seed))


def measured(truths: Iterable[Truth], *, policy: Policy) -> Tally:
    """The detector's flags of each month against its truth."""
    true = flagged = false = 0
    for truth in truths:
        found = flags(truth, policy=policy)
        true += len(truth.cramming_workers)
        flagged += len(found)
        false += len(found - truth.cramming_workers)
    return Tally(true=true, flagged=flagged, false=false)


def flags(truth: Truth, *, policy: Policy) -> frozenset[str]:
    """The workers of this month whom the product's own test flags."""
    tests = by_worker(
        visits=visits_of(truth.happenings.stays),
        homes=_homes(truth.world),
        modes={WorkerId(one.worker_id): TravelMode(one.mode) for one in truth.world.workers},
        policy=policy,
    )
    return frozenset(test.worker for test in tests if test.flagged)


def visits_of(stays: Sequence[Stay]) -> tuple[Visit, ...]:
    """Each logged stay as a visit of its own with one slot: all that the test looks at."""
    return tuple(_visit(stay) for stay in stays if stay.logged)


def _visit(stay: Stay) -> Visit:
    call, key = stay.call, f"{stay.call.visit_id}-{stay.slot}"
    closed = stay.check_out_logged
    attendance = Attendance(
        attendance_id=key,
        worker=WorkerId(stay.worker),
        customer=CustomerId(call.customer_id),
        start=stay.arrived,
        end=stay.left if closed else None,
        check_in=f"{key}-in",
        check_out=f"{key}-out" if closed else None,
        visit=VisitId(call.visit_id),
        grade_time=Grade.A,
        grade_place=Grade.A,
        payable_seconds=stay.seconds if closed else 0,
    )
    return Visit(
        visit_id=VisitId(call.visit_id),
        customer=CustomerId(call.customer_id),
        provider=ProviderId("harbour"),
        care_day=call.day.isoformat(),
        planned_start=call.start,
        planned_minutes=call.minutes,
        outcome=VisitOutcome.DELIVERED if evidenced_minutes(stay) else VisitOutcome.PART_DELIVERED,
        slots=(SlotRecord(slot=stay.slot, rostered=WorkerId(stay.worker), attendance=attendance),),
    )


def _homes(world: World) -> dict[CustomerId, Home]:
    return {
        CustomerId(one.customer_id): Home(latitude=one.home.latitude, longitude=one.home.longitude)
        for one in world.customers
    }


def _seeds(text: str) -> range:
    first, _, last = text.partition("-")
    return range(int(first), int(last or first) + 1)


def _months(seeds: range, rate: float, crammed: tuple[float, ...] | None) -> Iterable[Truth]:
    return (month(seed=seed, early_after_sent_away=rate, crammed=crammed) for seed in seeds)


def main(arguments: Sequence[str] | None = None) -> None:
    """Print one row of the table for each rate, as Markdown."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seeds", type=_seeds, default=_seeds("101-120"), help="first-last")
    parser.add_argument("--rates", type=float, nargs="+", default=_RATES, help="shares from 0 to 1")
    parser.add_argument("--crammed", type=float, nargs=2, help="least and greatest share of visits that crammers cram")
    chosen = parser.parse_args(arguments)
    crammed = tuple(chosen.crammed) if chosen.crammed else None
    print("| early after being sent away | crammers | flagged | honest among them | precision | recall |")
    print("|---|---|---|---|---|---|")
    for rate in chosen.rates:
        tally = measured(_months(chosen.seeds, rate, crammed), policy=Policy())
        print(
            f"| {rate:.0%} | {tally.true} | {tally.flagged} | {tally.false} | {tally.precision:.3f} | {tally.recall:.3f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
