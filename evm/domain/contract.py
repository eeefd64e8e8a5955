"""Contracts: which provider a council has given a locality to, from when until when, alone or beside others (background S8). Not the
agreement that says what it is paid (evm.domain.billing)."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from itertools import combinations

from evm.domain.ids import CouncilId, LocalityId, ProviderId


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """Days are `[since, until)`; `until` None: open. `exclusive`: nobody else is commissioned in the locality meanwhile."""

    contract_id: str
    council_id: CouncilId
    provider_id: ProviderId
    locality_id: LocalityId
    since: date
    until: date | None = None
    exclusive: bool = True

    def __post_init__(self) -> None:
        if self.until is not None and self.until < self.since:
            raise ValueError("a contract ends before it begins")

    def holds(self, on: date) -> bool:
        """Whether it is in force that day."""
        return self.since <= on and (self.until is None or on < self.until)

    def meets(self, other: "Contract") -> bool:
        """Whether the two are in force on a common day in a common locality."""
        latest = max(self.since, other.since)
        return self.locality_id == other.locality_id and self.holds(latest) and other.holds(latest)


def said(contract: Contract) -> str:
    """A contract in words: "c-1 (kindly in m14, exclusive, from 2026-04-01 until 2027-04-01)"."""
    until = f" until {contract.until}" if contract.until else ""
    kind = "exclusive" if contract.exclusive else "shared"
    return f"{contract.contract_id} ({contract.provider_id} in {contract.locality_id}, {kind}, from {contract.since}{until})"


def conflicts(contracts: Iterable[Contract]) -> tuple[tuple[Contract, Contract], ...]:
    """Every two contracts that cannot both stand: in force together where one of them is exclusive, or of the same provider twice."""
    by_place: dict[LocalityId, list[Contract]] = {}
    for contract in contracts:
        by_place.setdefault(contract.locality_id, []).append(contract)
    return tuple(
        (first, second)
        for standing in by_place.values()
        for first, second in combinations(sorted(standing, key=lambda each: (each.since, each.contract_id)), 2)
        if first.meets(second) and (first.exclusive or second.exclusive or first.provider_id == second.provider_id)
    )
