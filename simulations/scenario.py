"""The rates of a simulation, read from a committed TOML file. Not the people they are applied to (people) and not what then
happens (behaviour)."""

import tomllib
from dataclasses import dataclass, fields
from datetime import date
from importlib import resources
from typing import Any


@dataclass(frozen=True, slots=True, kw_only=True)
class PeopleRates:
    rounds: int
    customers_per_round: int
    relief_workers: int
    spread_m: float
    visits_a_day: tuple[float, ...]
    some_weekdays_share: float
    length_minutes: tuple[int, ...]
    length_shares: tuple[float, ...]
    double_up_share: float
    time_critical_share: float
    low_risk_share: float
    male_workers_share: float
    female_only_share: float
    male_only_share: float
    other_language_share: float
    couples_share: float
    cycle_share: float
    sends_away_share: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceRates:
    owntracks_rounds: int
    landline_rounds: int


@dataclass(frozen=True, slots=True, kw_only=True)
class HonestRates:
    start_bias_minutes: float
    start_spread_minutes: float
    worker_bias_minutes: float
    length_mean: float
    length_spread: float
    block_delay: float
    block_delay_minutes: tuple[float, ...]
    sent_away: float
    sent_away_cut: tuple[float, ...]
    early_after_sent_away: float


@dataclass(frozen=True, slots=True, kw_only=True)
class LapseRates:
    missed: float
    unlogged: float
    no_reply: float
    forgotten_check_out: float
    wrong_tag: float
    no_tag: float
    visit_not_named: float
    cancelled: float
    offline_block: float
    offline_restart: float
    offline_doubtful: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayedCounts:
    missed: int
    unlogged: int
    no_reply: int
    offline_phones: int
    restarted_phones: int
    popbacks: int


@dataclass(frozen=True, slots=True, kw_only=True)
class CrammingRates:
    workers: int
    share_of_pairs: tuple[float, ...]
    cut_minutes: tuple[float, ...]
    roster_days: int


@dataclass(frozen=True, slots=True, kw_only=True)
class InvoiceRates:
    pence_per_minute: str
    inflated: float
    claimed_without_evidence: float
    claimed_cancelled: float
    claimed_twice: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """Everything a simulation may vary. `played_day` is a local date; the history is the `history_days` before it."""

    name: str
    zone: str
    geography: str
    locality: str
    played_day: date
    history_days: int
    roster_ahead_days: int
    people: PeopleRates
    devices: DeviceRates
    honest: HonestRates
    lapses: LapseRates
    played: PlayedCounts
    cramming: CrammingRates
    invoice: InvoiceRates


_SECTIONS: dict[str, type] = {
    "people": PeopleRates,
    "devices": DeviceRates,
    "honest": HonestRates,
    "lapses": LapseRates,
    "played": PlayedCounts,
    "cramming": CrammingRates,
    "invoice": InvoiceRates,
}


def load_scenario(*, name: str = "manchester") -> Scenario:
    """The scenario committed as `simulations/scenarios/<name>.toml`; ValueError names a key that is missing or unknown."""
    text = resources.files("simulations").joinpath("scenarios", f"{name}.toml").read_text(encoding="utf-8")
    table = tomllib.loads(text)
    sections = {key: _section(key, kind, table.pop(key, {})) for key, kind in _SECTIONS.items()}
    return Scenario(**_checked("scenario", Scenario, {**table, **sections}))


def _section(name: str, kind: type, table: dict[str, Any]) -> Any:
    values = {key: tuple(value) if isinstance(value, list) else value for key, value in table.items()}
    return kind(**_checked(name, kind, values))


def _checked(name: str, kind: type, values: dict[str, Any]) -> dict[str, Any]:
    wanted = {field.name for field in fields(kind)}
    wrong = wanted ^ set(values)
    if wrong:
        raise ValueError(f"{name}: these keys are missing or unknown: {', '.join(sorted(wrong))}")
    return values
