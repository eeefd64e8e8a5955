"""The simulation's own record of what happened and its own calculator of what the system must make of it. It shares no code with what it
judges: it imports nothing of evm, devices or rostering."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from fractions import Fraction
from typing import Final

from simulations.behaviour import Happenings, Stay, live
from simulations.days import CRAMMED_LATE_SECONDS_MIN, DayCall, dated_calls, worker_day_lateness
from simulations.world import World, random_for

MISSED_AFTER_MINUTES: Final = {"time_critical": 30, "standard": 60, "low": 120}
_MATCH_BEFORE: Final = timedelta(minutes=60)
_MATCH_AFTER: Final = timedelta(minutes=120)


@dataclass(frozen=True, slots=True, kw_only=True)
class ClaimLine:
    """One line of the provider's invoice: a slot of a call, or of a call that never was. `payable_pence` is what evidence supports."""

    visit_id: str | None
    slot: int
    customer_id: str
    worker_id: str | None
    start: datetime
    minutes: int
    pence: int
    payable_pence: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Truth:
    """What happened and what is to be expected of it. The period is the history's days and the played one."""

    world: World
    happenings: Happenings

    @property
    def played(self) -> tuple[DayCall, ...]:
        """The played day's calls, cancelled ones left out."""
        day = self.world.scenario.played_day
        return tuple(c for c in self.happenings.calls if c.day == day and c.cancelled_at is None)

    @property
    def missed_true(self) -> frozenset[str]:
        """Played calls to which nobody came."""
        return self.happenings.missed & {call.visit_id for call in self.played}

    @property
    def unlogged(self) -> frozenset[str]:
        """Played calls to which somebody came and logged nothing."""
        return self.happenings.unlogged & {call.visit_id for call in self.played}

    @property
    def no_reply(self) -> frozenset[str]:
        """Played calls at which nobody opened and the worker said so."""
        return self.happenings.no_reply & {call.visit_id for call in self.played}

    @property
    def cramming_workers(self) -> frozenset[str]:
        return frozenset(worker.worker_id for worker in self.world.workers if worker.crams)

    def cramming_roster_days(self) -> frozenset[tuple[str, date]]:
        """Worker-days that cannot be worked as planned."""
        late = worker_day_lateness(self.happenings.calls, self.world)
        return frozenset(key for key, seconds in late.items() if seconds >= CRAMMED_LATE_SECONDS_MIN)

    def visits_offline(self) -> frozenset[str]:
        """Played calls that were attended by a phone without signal when their missed-visit deadline passed."""
        return frozenset(
            stay.call.visit_id
            for stay in self.stays_on(self.world.scenario.played_day)
            if stay.logged and stay.heard_at is not None and stay.arrived <= missed_deadline(stay.call) < stay.heard_at
        )

    def stays_on(self, day: date) -> tuple[Stay, ...]:
        return tuple(stay for stay in self.happenings.stays if stay.call.day == day)

    def minutes_expected(self) -> int:
        """Σ floor(seconds ÷ 60) of attendances that were opened and closed, of any grade."""
        return sum(evidenced_minutes(stay) for stay in self.happenings.stays)

    def claims(self) -> tuple[ClaimLine, ...]:
        """The provider's invoice for the period: one line a slot, some of them more than was given."""
        return tuple(_claims(self.world, self.happenings))

    def invoice_expected_pence(self) -> int:
        """What the council should pay of `claims`."""
        return sum(line.payable_pence for line in self.claims())


def record(world: World) -> Truth:
    """Plan the 28 days of `world` and live them."""
    truth = Truth(world=world, happenings=live(world, dated_calls(world)))
    for stay in truth.happenings.stays:
        _assert_matchable(stay)
    return truth


def _assert_matchable(stay: Stay) -> None:
    """Every check-in can be matched to its own call: what is expected of it is then beyond dispute."""
    latest = stay.call.start + _MATCH_AFTER
    if stay.call.next_start is not None:
        latest = min(latest, stay.call.next_start)
    assert stay.call.start - _MATCH_BEFORE <= stay.arrived < latest, f"{stay.call.visit_id} was begun too far off"


def missed_deadline(call: DayCall) -> datetime:
    """When silence about `call` becomes a missed visit: by its risk, and before the same customer's next call."""
    due = call.start + timedelta(minutes=MISSED_AFTER_MINUTES[call.risk])
    return min(due, call.next_start) if call.next_start is not None else due


def evidenced_minutes(stay: Stay) -> int:
    """Whole minutes that the logged events give; 0 when either event is missing."""
    return stay.seconds // 60 if stay.logged and stay.check_out_logged else 0


def grade_time(stay: Stay) -> str:
    """How far the times of this stay can be trusted."""
    if stay.doubtful:
        return "C"
    return "B" if stay.restarted else "A"


def grade_place(stay: Stay) -> str:
    """How far its place can be trusted."""
    if stay.device_type != "popback_v1":
        return "B"
    return {"own": "A", "other": "D", "none": "C"}[stay.tag]


def pays(stay: Stay) -> bool:
    """Whether the agreement pays it without a person's word: time A or B and place A or B."""
    return grade_time(stay) in "AB" and grade_place(stay) in "AB"


def used_properly(stay: Stay) -> bool:
    """An honest `popback_v1` phone, its home's own tag, both events logged."""
    return (
        stay.honest and stay.device_type == "popback_v1" and stay.tag == "own" and stay.logged and stay.check_out_logged
    )


def pence_of(minutes: int, rate: str) -> int:
    """`minutes` at `rate` pence a minute (an exact fraction), rounded once, half up."""
    exact = minutes * Fraction(rate)
    return (2 * exact.numerator + exact.denominator) // (2 * exact.denominator)


def _claims(world: World, happenings: Happenings) -> Iterable[ClaimLine]:
    rng = random_for(world.seed, "invoice")
    rates = world.scenario.invoice
    stays: Mapping[tuple[str, int], Stay] = {(s.call.visit_id, s.slot): s for s in happenings.stays}
    repeatable: list[ClaimLine] = []
    for call in happenings.calls:
        for slot in range(len(call.workers)):
            stay = stays.get((call.visit_id, slot))
            drawn = rng.random()
            good = stay is not None and evidenced_minutes(stay) > 0 and pays(stay)
            if call.cancelled_at is not None:
                claimed = call.minutes if drawn < rates.claimed_cancelled else 0
            elif stay is None or not good:
                claimed = call.minutes if drawn < rates.claimed_without_evidence else 0
            else:
                given = min(evidenced_minutes(stay), call.minutes)
                claimed = call.minutes if drawn < rates.inflated else given
            if claimed:
                line = _line(call, slot, stay if good else None, claimed, rates.pence_per_minute)
                repeatable += [line] if good else []
                yield line
    for line in rng.sample(repeatable, rates.claimed_twice):
        yield _again(line)


def _line(call: DayCall, slot: int, stay: Stay | None, claimed: int, rate: str) -> ClaimLine:
    given = min(evidenced_minutes(stay), call.minutes, claimed) if stay and call.cancelled_at is None else 0
    return ClaimLine(
        visit_id=call.visit_id,
        slot=slot,
        customer_id=call.customer_id,
        worker_id=call.workers[slot],
        start=call.start,
        minutes=claimed,
        pence=pence_of(claimed, rate),
        payable_pence=pence_of(given, rate),
    )


def _again(line: ClaimLine) -> ClaimLine:
    """The same slot claimed a second time: nothing supports it."""
    return replace(line, payable_pence=0)
