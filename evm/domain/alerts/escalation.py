"""Who is told next about an alert nobody has acknowledged, and when (rules.md, Ladder). Not who those people are, and not the sending."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from types import MappingProxyType
from typing import Final

from evm.domain.plan import Risk


class Rung(StrEnum):
    """The ladder from the worker to the council's duty team."""

    WORKER = "worker"
    COORDINATOR = "branch coordinator"
    ON_CALL = "provider on call"
    DUTY_TEAM = "council duty team"


LADDER: Final = (Rung.WORKER, Rung.COORDINATOR, Rung.ON_CALL, Rung.DUTY_TEAM)
NEXT_RUNG_MINUTES: Final[Mapping[Risk, int]] = MappingProxyType({Risk.TIME_CRITICAL: 3, Risk.STANDARD: 5, Risk.LOW: 5})
ACKNOWLEDGED_MINUTES_MAX: Final = 20
"""An acknowledgement lapses after this, unresolved; nothing closes by age."""


def told_at(*, raised_at: datetime, rung: int, risk: Risk) -> datetime:
    """When the `rung`-th telling (0 first) is due without acknowledgement; past the last rung the last one is told again."""
    return raised_at + timedelta(minutes=NEXT_RUNG_MINUTES[risk] * rung)


def rung_of(telling: int) -> Rung:
    """Who the `telling`-th telling goes to: up the ladder, then the last rung until a person closes."""
    return LADDER[min(telling, len(LADDER) - 1)]


def lapses_at(*, acknowledged_at: datetime) -> datetime:
    """When an acknowledgement no longer holds the ladder."""
    return acknowledged_at + timedelta(minutes=ACKNOWLEDGED_MINUTES_MAX)
