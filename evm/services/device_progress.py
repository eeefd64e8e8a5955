"""How far each device's numbered events are stored, how its clock stood when it was last live, and who uses it. Not the receipts that
say so. An event refused for good counts as being there: its device will never send it again, and asking for it would never end."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime

from sqlalchemy.orm import Session

from evm.domain.evidence import Claim, Evidence
from evm.domain.finding import FindingCode
from evm.domain.ids import DeviceId, ProviderId, WorkerId
from evm.domain.period import care_day
from evm.domain.policy import Policy
from evm.store import evidence as log
from evm.store import ingest_state
from evm.store.evidence import NewRow
from evm.store.ingest_state import Progress
from evm.store.people import DeviceRow

DeviceKey = tuple[ProviderId, DeviceId]
User = tuple[WorkerId, date]


def live_offsets(claims: Sequence[Claim], *, now: datetime, policy: Policy) -> dict[DeviceKey, float]:
    """For each device the seconds its wall clock is ahead of ours, by its newest claim that came live; absent if none did."""
    newest: dict[DeviceKey, datetime] = {}
    for claim in claims:
        key = (claim.provider, claim.device)
        is_live = abs((claim.captured_at - now).total_seconds()) <= policy.live_receipt_seconds_max
        if is_live and not claim.server_timed and (key not in newest or claim.captured_at > newest[key]):
            newest[key] = claim.captured_at
    return {key: (captured_at - now).total_seconds() for key, captured_at in newest.items()}


def flag_second_users(
    rows: Sequence[NewRow],
    *,
    progress: Mapping[DeviceKey, Progress],
    devices: Mapping[DeviceKey, DeviceRow],
    policy: Policy,
) -> list[NewRow]:
    """The rows, flagged where one worker's own device is used by a second one on the same care day. A device enrolled for nobody in
    particular (a landline, an office's tablet) is meant for many."""
    users = _users_known(progress)
    flagged = []
    for row in rows:
        event = row.evidence
        device = devices.get((event.provider, event.device))
        is_second = _note_user(users, event=event, policy=policy)
        if is_second and device is not None and device.worker is not None:
            flags = tuple(sorted({*event.flags, FindingCode.MANY_WORKERS_ON_DEVICE.value}))
            flagged.append(replace(row, evidence=replace(event, flags=flags)))
        else:
            flagged.append(row)
    return flagged


def advance(
    session: Session, *, claims: Sequence[Claim], events: Sequence[Evidence] = (), now: datetime, policy: Policy
) -> None:
    """Move each device's progress on by a batch that has just been appended; `events` is what was new in it."""
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
    users = _users_known(known)
    for event in events:
        _note_user(users, event=event, policy=policy)
    moved = _without_refused(session, moved)
    moved = {key: _used_by(p, users.get(key)) for key, p in moved.items()}
    ingest_state.set_progress(session, progress=moved, known=set(known))


def _used_by(progress: Progress, user: User | None) -> Progress:
    return progress if user is None else replace(progress, worker=user[0], worker_day=user[1])


def _without_refused(session: Session, moved: Mapping[DeviceKey, Progress]) -> dict[DeviceKey, Progress]:
    """Gaps that begin with events refused for good are closed as far as they go."""
    open_from = {key: p.contiguous_sequence for key, p in moved.items() if next_missing(p) is not None}
    refused = ingest_state.refused_sequences(session, after=open_from) if open_from else {}
    closing = {key: open_from[key] for key, numbers in refused.items() if open_from[key] + 1 in numbers}
    stored = log.sequences_after(session, after=closing)
    return dict(moved) | {key: _closed(moved[key], refused[key] | set(stored.get(key, ()))) for key in closing}


def _closed(progress: Progress, present: set[int]) -> Progress:
    contiguous = progress.contiguous_sequence
    while contiguous + 1 in present:
        contiguous += 1
    return replace(
        progress, contiguous_sequence=contiguous, highest_sequence=max(progress.highest_sequence, contiguous)
    )


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
    moved = replace(
        before,
        highest_sequence=max((before.highest_sequence, *numbers)),
        last_received_at=now,
        offset_seconds=before.offset_seconds if offset_seconds is None else offset_seconds,
    )
    return _closed(moved, numbers)


def _users_known(progress: Mapping[DeviceKey, Progress]) -> dict[DeviceKey, User]:
    """Who used each device first on its newest day."""
    return {key: (p.worker, p.worker_day) for key, p in progress.items() if p.worker and p.worker_day}


def _note_user(users: dict[DeviceKey, User], *, event: Evidence, policy: Policy) -> bool:
    """Keep in `users` who uses the event's device; whether it is another worker than the first one of the event's care day."""
    if event.worker is None:
        return False
    key, day = (event.provider, event.device), care_day(event.at, zone=policy.zone)
    known = users.get(key)
    if known is None or known[1] < day:
        users[key] = (event.worker, day)
        return False
    return known[1] == day and known[0] != event.worker
