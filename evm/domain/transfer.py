"""Whose customer or care worker somebody was on which day, when people pass from one provider to another. Not the passing itself
(evm.services.transfers).

Spells are half-open in local days, `[since, until)`. Somebody who never passed has none: their provider is the one they have."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Final

from evm.domain.ids import LocalityId, ProviderId

ALWAYS: Final = date(1900, 1, 1)
"""The first day of whoever was a provider's before anybody passed."""


class Passed(StrEnum):
    """Who passes."""

    CUSTOMER = "customer"
    WORKER = "worker"


class TransferState(StrEnum):
    ORDERED = "ordered"
    APPLIED = "applied"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Spell:
    """One stretch of days with one provider. `until` is the first day after; None: no end is known."""

    provider: ProviderId
    since: date
    until: date | None

    def __contains__(self, day: date) -> bool:
        return self.since <= day and (self.until is None or day < self.until)


@dataclass(frozen=True, slots=True, kw_only=True)
class Transfer:
    """An order that customers and workers pass from one provider to another: `on_day` is the first local day that is the new one's.
    `locality_id` None: whoever was named, or all. From `revoke_on` the old credentials of workers who passed are ended."""

    transfer_id: str
    from_provider: ProviderId
    to_provider: ProviderId
    on_day: date
    locality_id: LocalityId | None
    state: TransferState
    shows_history: bool
    revoke_on: date


def provider_on(spells: Sequence[Spell], *, day: date, now: ProviderId) -> ProviderId:
    """Whose they were on `day`; `now` is whose they are, for those who never passed."""
    return next((spell.provider for spell in spells if day in spell), now)


def ever(spells: Sequence[Spell], *, now: ProviderId) -> frozenset[ProviderId]:
    """Every provider they were with, are with, or are ordered to pass to."""
    return frozenset({now, *(spell.provider for spell in spells)})


def provider_planned_for(spells: Sequence[Spell], *, day: date, now: ProviderId) -> ProviderId:
    """Whose a visit planned for `day` is: of days before they came to the provider they are with, whose they were then; of every other
    day their own provider's. An order to pass counts from when it is applied."""
    own = [spell.since for spell in spells if spell.provider == now]
    return provider_on(spells, day=day, now=now) if own and day < max(own) else now
