"""Pop-backs that simulated customers ask for on the played day, a week ahead: some through their worker's phone, some by ringing
the office. Not the promise (evm.services.popback) and not its keeping."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from simulations.days import local_instant
from simulations.truth import Truth
from simulations.world import WeeklyCall, random_for

_WANTED_SINCE_MINUTE: Final = 10 * 60 + 30
_WANTED_UNTIL_MINUTE: Final = 18 * 60
_APART_MINUTES: Final = 75


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """One customer's wish for one more visit. `worker` passes it on by phone; None: the customer rings the office."""

    customer_id: str
    asked_at: datetime
    wanted_at: datetime
    minutes: int
    worker: str | None


def wishes(truth: Truth) -> tuple[Wish, ...]:
    """The played day's wishes, sorted by when they are asked; each at least 24 hours ahead and apart from the customer's own calls."""
    world = truth.world
    rng = random_for(world.seed, "popbacks")
    single = [one for one in world.customers if not one.double_up and one.visits_a_day <= 3]
    lengths = [(one, rng.choice((15, 20, 30))) for one in rng.sample(single, len(single))]
    free = [(one, minutes, _free_minutes(truth, one.customer_id, minutes)) for one, minutes in lengths]
    able = [choice for choice in free if choice[2]][: world.scenario.played.popbacks]
    found = []
    for n, (customer, minutes, starts) in enumerate(able):
        asked_at = local_instant(world.scenario.played_day, rng.randint(9 * 60, 17 * 60), world.scenario.zone)
        found.append(
            Wish(
                customer_id=customer.customer_id,
                asked_at=asked_at,
                wanted_at=local_instant(roster_day(truth), rng.choice(starts), world.scenario.zone),
                minutes=minutes,
                worker=_worker_with_phone(truth, customer.customer_id, asked_at) if n % 2 else None,
            )
        )
    return tuple(sorted(found, key=lambda wish: (wish.asked_at, wish.customer_id)))


def roster_day(truth: Truth) -> date:
    """The day that the next roster is made for."""
    scenario = truth.world.scenario
    return scenario.played_day + timedelta(days=scenario.roster_ahead_days)


def _free_minutes(truth: Truth, customer_id: str, minutes: int) -> list[int]:
    """Quarter hours of the roster day that stand well apart from the customer's own calls."""
    weekday = roster_day(truth).weekday()
    own = [call for call in truth.world.calls if call.customer_id == customer_id and weekday in call.weekdays]
    quarters = range(_WANTED_SINCE_MINUTE, _WANTED_UNTIL_MINUTE, 15)
    return [minute for minute in quarters if all(_apart(minute, minutes, call) for call in own)]


def _apart(minute: int, minutes: int, call: WeeklyCall) -> bool:
    before = minute + minutes + _APART_MINUTES <= call.start_minute
    return before or call.start_minute + call.minutes + _APART_MINUTES <= minute


def _worker_with_phone(truth: Truth, customer_id: str, asked_at: datetime) -> str | None:
    """A worker who saw this customer earlier today and carries a phone that has signal."""
    today = truth.stays_on(truth.world.scenario.played_day)
    spells = {spell.worker for spell in truth.happenings.spells if spell.day == truth.world.scenario.played_day}
    for stay in today:
        seen = stay.call.customer_id == customer_id and stay.left <= asked_at
        if seen and stay.device_type == "popback_v1" and stay.worker not in spells:
            return stay.worker
    return None
