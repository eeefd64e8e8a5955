"""Every hard rule of a roster, one a file, in the order in which reasons are given; nothing else belongs here."""

from __future__ import annotations

from rostering.constraint import Constraint
from rostering.constraints import (
    availability,
    breaks,
    capacity,
    complete,
    daily_rest,
    double_up_together,
    due_windows,
    exclusions,
    gender_language,
    hours_limit,
    meals,
    pinned,
    popback_kept,
    skills,
    travel_feasible,
    visit_gap,
    weekly_rest,
    windows,
)

CONSTRAINTS: tuple[Constraint, ...] = (
    complete.CONSTRAINT,
    pinned.CONSTRAINT,
    skills.CONSTRAINT,
    gender_language.CONSTRAINT,
    exclusions.CONSTRAINT,
    windows.CONSTRAINT,
    due_windows.CONSTRAINT,
    availability.CONSTRAINT,
    travel_feasible.CONSTRAINT,
    double_up_together.CONSTRAINT,
    visit_gap.CONSTRAINT,
    breaks.CONSTRAINT,
    meals.CONSTRAINT,
    capacity.CONSTRAINT,
    hours_limit.CONSTRAINT,
    daily_rest.CONSTRAINT,
    weekly_rest.CONSTRAINT,
    popback_kept.CONSTRAINT,
)
