"""Who lives and works in a simulated locality: customers and care workers with their homes, needs and devices. Invented people only;
not the visits they are due (world) and not how they behave (behaviour)."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Any, Final

from simulations.geography import OutwardCode, Point, moved, outward_codes
from simulations.scenario import Scenario

PROVIDER: Final = "harbour"
LANGUAGES: Final = ("ur", "pl", "bn", "so")
SKILLS: Final = frozenset({"hoist", "peg"})
_GIVEN: Final = (
    "Ada", "Amina", "Arthur", "Beryl", "Bilal", "Cedric", "Chidi", "Clara", "Derek", "Doreen", "Edna", "Elsie", "Farah",
    "Frank", "Gita", "Gwen", "Harold", "Hilda", "Imran", "Irene", "Ivy", "Jean", "Joyce", "Kamal", "Leonard", "Lena",
    "Mabel", "Marek", "Maya", "Mohsin", "Nadia", "Nora", "Olive", "Omar", "Pearl", "Percy", "Quentin", "Rita", "Rose",
    "Samir", "Sheila", "Tariq", "Thelma", "Una", "Vera", "Walter", "Winnie", "Yusuf", "Zofia", "Zara",
)  # fmt: skip
_FAMILY: Final = (
    "Abbot", "Achebe", "Ashworth", "Bell", "Birtwistle", "Chadwick", "Choudhry", "Cole", "Dabrowski", "Dean", "Entwistle",
    "Farouk", "Fletcher", "Garner", "Greenhalgh", "Haider", "Hargreaves", "Holt", "Idowu", "Jessop", "Kaminski", "Kay",
    "Lomax", "Marsden", "Mistry", "Nuttall", "Ogden", "Okoro", "Pilling", "Qureshi", "Ramsbottom", "Rashid", "Schofield",
    "Shaw", "Tattersall", "Turner", "Unsworth", "Vickers", "Walmsley", "Yates",
)  # fmt: skip
_STREETS: Final = (
    "Cotton Row", "Loom Street", "Weaver's Fold", "Canal Walk", "Shuttle Lane", "Bobbin Terrace", "Millbrook Close",
    "Carding Road", "Tenter Bank", "Spindle Court",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class SimCustomer:
    """`round_index` is the round that usually serves them; `visits_a_day` 1 to 4; numbers are of ranges reserved for fiction."""

    customer_id: str
    name: str
    address: str
    postcode: str
    home: Point
    tag: str
    line: str
    line_code: str | None
    next_of_kin_name: str
    next_of_kin_phone: str
    round_index: int
    visits_a_day: int
    double_up: bool = False
    sends_away: bool = False
    gender: str | None = None
    language: str | None = None
    partner: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SimWorker:
    """`device_type` as the device table names it. `bias_seconds`: this worker's own habit of starting early or late."""

    worker_id: str
    name: str
    home: Point
    gender: str
    languages: frozenset[str]
    mode: str
    device_type: str
    weekdays: frozenset[int]
    bias_seconds: int
    phone: str
    pin: str
    dialled_number: str
    crams: bool = False

    @property
    def device_id(self) -> str:
        return f"d-{self.worker_id}"


def make_customers(*, scenario: Scenario, rng: Random) -> tuple[SimCustomer, ...]:
    """The locality's customers, grouped into compact rounds of `customers_per_round`; couples share a home and a line."""
    rates = scenario.people
    wanted = rates.rounds * rates.customers_per_round
    codes = [code for code in outward_codes(scenario.geography) if code.locality == scenario.locality]
    homes = [_home(codes[n % len(codes)], rates.spread_m, rng) for n in range(wanted)]
    rounds = _split(list(range(wanted)), [point for _, point in homes], rates.rounds)
    customers = []
    for round_index, members in enumerate(rounds):
        customers += _round_of_customers(scenario, rng, round_index, [homes[n] for n in members])
    return tuple(customers)


def _home(code: OutwardCode, spread_m: float, rng: Random) -> tuple[str, Point]:
    return code.code, moved(code.centre, east_m=rng.gauss(0, spread_m), north_m=rng.gauss(0, spread_m))


def _split(members: list[int], points: Sequence[Point], parts: int) -> list[list[int]]:
    """Split places into `parts` compact groups of equal size by halving along the longer side."""
    if parts == 1:
        return [members]
    wide = max(points[n].longitude for n in members) - min(points[n].longitude for n in members)
    tall = max(points[n].latitude for n in members) - min(points[n].latitude for n in members)
    by_longitude = wide * 0.6 > tall
    ordered = sorted(members, key=lambda n: (points[n].longitude if by_longitude else points[n].latitude, n))
    left_parts = parts // 2
    cut = len(members) * left_parts // parts
    return _split(ordered[:cut], points, left_parts) + _split(ordered[cut:], points, parts - left_parts)


def _round_of_customers(
    scenario: Scenario, rng: Random, round_index: int, homes: Sequence[tuple[str, Point]]
) -> list[SimCustomer]:
    rates = scenario.people
    gender = _round_gender(scenario, rng, len(homes))
    speaker = rng.randrange(len(homes)) if rng.random() < rates.other_language_share * len(homes) else None
    language = rng.choice(LANGUAGES)
    wanted_by = rng.randrange(len(homes))
    visits = _visits_a_day(rates.visits_a_day, len(homes), rng)
    couple = rng.random() < rates.couples_share * len(homes) / 2
    made: list[SimCustomer] = []
    for n, (outward, home) in enumerate(homes):
        number = round_index * rates.customers_per_round + n
        shares = made[-1] if couple and n == 1 else None
        made.append(
            SimCustomer(
                customer_id=f"c-{number + 1:03}",
                name=shares.name.split()[0][0] + f". {shares.name.split()[-1]}" if shares else _name(rng),
                address=shares.address if shares else f"{rng.randint(1, 180)} {rng.choice(_STREETS)}",
                postcode=shares.postcode if shares else f"{outward} {rng.randint(1, 9)}ZZ",
                home=shares.home if shares else home,
                tag=f"tag-{number + 1:03}",
                line=shares.line if shares else f"+44161496{number:04}",
                line_code=str(n + 1) if couple and n < 2 else None,
                next_of_kin_name=_name(rng),
                next_of_kin_phone=f"+447700900{number:03}",
                round_index=round_index,
                visits_a_day=visits[n],
                sends_away=rng.random() < rates.sends_away_share,
                gender=gender if n == wanted_by else None,
                language=language if n == speaker else None,
                partner=shares.customer_id if shares else None,
            )
        )
    return made


def _visits_a_day(shares: Sequence[float], size: int, rng: Random) -> list[int]:
    """Visits a day of each customer of a round: drawn again until the round is near the mean (within 7 %)."""
    mean = sum(n * share for n, share in enumerate(shares, start=1)) * size
    while True:
        drawn = rng.choices((1, 2, 3, 4), shares, k=size)
        if abs(sum(drawn) - mean) <= mean * 0.07:
            return drawn


def _round_gender(scenario: Scenario, rng: Random, size: int) -> str | None:
    """The gender one customer of this round asks for, if any: never two different ones in a round."""
    drawn = rng.random()
    if drawn < scenario.people.female_only_share * size:
        return "female"
    return "male" if drawn < (scenario.people.female_only_share + scenario.people.male_only_share) * size else None


def _name(rng: Random) -> str:
    return f"{rng.choice(_GIVEN)} {rng.choice(_FAMILY)}"


def make_workers(
    *, scenario: Scenario, customers: Sequence[SimCustomer], rng: Random
) -> tuple[tuple[SimWorker, ...], dict[tuple[int, int], str]]:
    """The workers, and who serves each round on each weekday: its own worker five days, a relief worker on the other two."""
    rounds = scenario.people.rounds
    devices = _devices(scenario, customers, rng)
    crammers = set(rng.sample([n for n in range(rounds) if devices[n] == "popback_v1"], scenario.cramming.workers))
    own = [
        _worker(scenario, rng, n, [c for c in customers if c.round_index == n], devices[n], crams=n in crammers)
        for n in range(rounds)
    ]
    serves = {(n, day): own[n].worker_id for n in range(rounds) for day in own[n].weekdays}
    relief = [_relief(scenario, rng, rounds + n) for n in range(scenario.people.relief_workers)]
    days = _assign_relief(own, relief, customers, serves)
    relief = [_with_days(worker, days[worker.worker_id]) for worker in relief]
    return tuple(own + relief), serves


def _devices(scenario: Scenario, customers: Sequence[SimCustomer], rng: Random) -> list[str]:
    """Which kind of device each round's own worker carries; landline rounds have no couples, whose line needs a code."""
    rounds = list(range(scenario.people.rounds))
    coupled = {c.round_index for c in customers if c.line_code}
    landline = set(rng.sample([n for n in rounds if n not in coupled], scenario.devices.landline_rounds))
    apps = set(rng.sample([n for n in rounds if n not in landline], scenario.devices.owntracks_rounds))
    return ["telephony" if n in landline else "owntracks" if n in apps else "popback_v1" for n in rounds]


def _worker(
    scenario: Scenario, rng: Random, number: int, served: Sequence[SimCustomer], device_type: str, *, crams: bool
) -> SimWorker:
    asked = next((c.gender for c in served if c.gender), None)
    gender = asked or ("male" if rng.random() < scenario.people.male_workers_share else "female")
    off = number % 7
    languages = {"en"} | {c.language for c in served if c.language}
    if rng.random() < 0.15:
        languages.add(rng.choice(LANGUAGES))
    return SimWorker(
        **_common(scenario, rng, number, served[0].home),
        gender=gender,
        languages=frozenset(languages),
        mode="cycle" if rng.random() < scenario.people.cycle_share else "car",
        device_type=device_type,
        weekdays=frozenset(set(range(7)) - {off, (off + 1) % 7}),
        crams=crams,
    )


def _relief(scenario: Scenario, rng: Random, number: int) -> SimWorker:
    codes = [code for code in outward_codes(scenario.geography) if code.locality == scenario.locality]
    home = moved(rng.choice(codes).centre, east_m=rng.gauss(0, 500), north_m=rng.gauss(0, 500))
    male = number % 3 == 0
    return SimWorker(
        **_common(scenario, rng, number, home),
        gender="male" if male else "female",
        languages=frozenset({"en", *(LANGUAGES if number % 2 else LANGUAGES[:2])}),
        mode="car",
        device_type="popback_v1",
        weekdays=frozenset(),
    )


def _common(scenario: Scenario, rng: Random, number: int, home: Point) -> dict[str, Any]:
    return {
        "worker_id": f"w-{number + 1:02}",
        "name": _name(rng),
        "home": moved(home, east_m=rng.gauss(0, 300), north_m=rng.gauss(0, 300)),
        "bias_seconds": round(rng.gauss(0, scenario.honest.worker_bias_minutes) * 60),
        "phone": f"+447700901{number:03}",
        "pin": f"{4000 + number * 7}",
        "dialled_number": f"+448081570{number:03}",
    }


def _assign_relief(
    own: Sequence[SimWorker],
    relief: Sequence[SimWorker],
    customers: Sequence[SimCustomer],
    serves: dict[tuple[int, int], str],
) -> dict[str, set[int]]:
    """Fill `serves` for days off with the least used relief worker who may serve that round; every day must be filled."""
    days: dict[str, set[int]] = {worker.worker_id: set() for worker in relief}
    for weekday in range(7):
        free = [n for n, worker in enumerate(own) if weekday not in worker.weekdays]
        free.sort(key=lambda n: (not _needs(customers, n), n))
        for n in free:
            able = [w for w in relief if weekday not in days[w.worker_id] and _may_serve(w, customers, n)]
            if not able:
                raise ValueError(f"no relief worker may serve round {n} on weekday {weekday}: raise relief_workers")
            chosen = min(able, key=lambda w: (len(days[w.worker_id]), w.worker_id))
            days[chosen.worker_id].add(weekday)
            serves[n, weekday] = chosen.worker_id
    return days


def _needs(customers: Sequence[SimCustomer], round_index: int) -> bool:
    return any(c.gender or c.language for c in customers if c.round_index == round_index)


def _may_serve(worker: SimWorker, customers: Sequence[SimCustomer], round_index: int) -> bool:
    served = [c for c in customers if c.round_index == round_index]
    return all(
        (c.gender in {None, worker.gender}) and (c.language is None or c.language in worker.languages) for c in served
    )


def _with_days(worker: SimWorker, days: set[int]) -> SimWorker:
    return replace(worker, weekdays=frozenset(days))
