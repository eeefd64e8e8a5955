"""How far each device's numbered events are stored, and how its clock stood when it was last live. Not the receipts that say so."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from evm.domain.evidence import Claim
from evm.domain.ids import DeviceId, ProviderId
from evm.domain.policy import Policy
from evm.store import evidence as log
from evm.store import ingest_state
from evm.store.ingest_state import Progress

DeviceKey = tuple[ProviderId, DeviceId]


def live_offsets(claims: Sequence[Claim], *, now: datetime, policy: Policy) -> dict[DeviceKey, float]:
    """For each device the seconds its wall clock is ahead of ours, by its newest claim that came live; absent if none did."""
    newest: dict[DeviceKey, datetime] = {}
    for claim in claims:
        key = (claim.provider, claim.device)
        is_live = abs((claim.captured_at - now).total_seconds()) <= policy.live_receipt_seconds_max
        if is_live and not claim.server_timed and (key not in newest or claim.captured_at > newest[key]):
            newest[key] = claim.captured_at
    return {key: (captured_at - now).total_seconds() for key, captured_at in newest.items()}


def advance(session: Session, *, claims: Sequence[Claim], now: datetime, policy: Policy) -> None:
    """Move each device's progress on by a batch that has just been appended."""
    numbers: dict[DeviceKey, set[int]] = {}
    for claim in claims:
        found = numbers.setdefault((claim.provider, claim.device), set())
        if claim.sequence is not None:
            found.add(claim.sequence)
    known = ingest_state.progress(session, devices=set(numbers))
    offsets = live_offsets(claims, now=now, policy=policy)
    stored = _beyond_a_gap(session, numbers, known)
    moved = {
        key: _moved(known.get(key), found | set(stored.get(key, ())), offsets.get(key), now)
        for key, found in numbers.items()
    }
    ingest_state.set_progress(session, progress=moved, known=set(known))


def next_missing(progress: Progress | None) -> int | None:
    """The first number missing below the newest stored; None when there is no gap."""
    if progress is None or progress.highest_sequence <= progress.contiguous_sequence:
        return None
    return progress.contiguous_sequence + 1


def _beyond_a_gap(
    session: Session, numbers: Mapping[DeviceKey, set[int]], known: Mapping[DeviceKey, Progress]
) -> dict[DeviceKey, list[int]]:
    """What stands stored beyond an open gap: only needed where this batch may close it."""
    closing = {
        key: p.contiguous_sequence
        for key, p in known.items()
        if p.highest_sequence > p.contiguous_sequence and p.contiguous_sequence + 1 in numbers[key]
    }
    return log.sequences_after(session, after=closing)


def _moved(progress: Progress | None, numbers: set[int], offset_seconds: float | None, now: datetime) -> Progress:
    before = progress or Progress(contiguous_sequence=0, highest_sequence=0, last_received_at=now)
    contiguous = before.contiguous_sequence
    while contiguous + 1 in numbers:
        contiguous += 1
    return Progress(
        contiguous_sequence=contiguous,
        highest_sequence=max((before.highest_sequence, *numbers)),
        last_received_at=now,
        offset_seconds=before.offset_seconds if offset_seconds is None else offset_seconds,
        status=before.status,
    )
