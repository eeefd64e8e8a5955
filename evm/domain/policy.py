"""Thresholds of a council's policy: data, effective from a date, shown on the page that uses them. Not the rules themselves.

Defaults are those of rules.md. Loaded from TOML at the edge (evm.services.policies); every field's unit is its last word."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    zone: str = "Europe/London"
    match_before_minutes: int = 60
    match_after_minutes: int = 120
    late_minutes_max: int = 15
    early_minutes_max: int = 15
    short_share_min: float = 0.8
    long_share_max: float = 1.5
    short_visit_floor_minutes: int = 15
    split_share_min: float = 0.5
    radius_m: float = 150.0
    clock_ahead_seconds_max: int = 300
    live_receipt_seconds_max: int = 60
    grade_b_interval_seconds_max: int = 600
    grade_b_offset_seconds_max: int = 120
    walk_kmh: float = 4.8
    cycle_kmh: float = 13.0
    car_kmh: float = 22.0
    bus_kmh: float = 11.0
    detour_factor: float = 1.3
    journey_slack_seconds: int = 120
    cramming_late_minutes_max: int = 15
    cramming_weeks: int = 4
    cramming_false_discovery_rate: float = 0.05
    popback_notice_hours: int = 24
    reassess_low: float = 0.85
    reassess_high: float = 1.15
    reassess_visits_min: int = 8
    reassess_refusals_min: int = 3
    stay_hours_max: int = 24
    same_stay_minutes_max: int = 30
    not_delivered_share_max: float = 0.5
    together_share_min: float = 0.5
    accuracy_m_max: float = 200.0
    cramming_pairs_min: int = 8
    cramming_freed_minutes_min: int = 5
    cramming_freed_share_min: float = 0.1
    cramming_early_minutes_min: int = 5
    cramming_chance_min: float = 0.01
    cramming_goes_on_share_min: float = 0.25
