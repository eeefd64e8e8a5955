"""The use case "a batch of messages has come": resolve, grade, append and queue what follows, all in the caller's transaction.
Not decoding (devices) and not reconciling: the next stage is a row. Messy facts never raise; only the database does."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from itertools import takewhile
from typing import Any

from sqlalchemy.orm import Session

from evm.domain.evidence import Claim, EventKind, Evidence, Source
from evm.domain.finding import FindingCode
from evm.domain.grades import grade_place, grade_time
from evm.domain.ids import CustomerId, DeviceId, EventId, ProviderId, WorkerId
from evm.domain.period import care_day
from evm.domain.policy import Policy
from evm.services import alarms
from evm.services.device_progress import advance, flag_second_users, live_offsets, next_missing
from evm.services.provider_days import providers_answering
from evm.services.resolve import Directory, Resolved, load_directory, resolve
from evm.store import evidence as log
from evm.store import ingest_state, plans
from evm.store.evidence import CONFLICT, STORED, EventKey, Known, NewRow
from evm.store.ingest_state import Progress, Quarantined, Watermark
from evm.store.locks import hold

DeviceKey = tuple[ProviderId, DeviceId]
Fix = tuple[str, float, float]


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """One decoded message with its exact payload bytes. `channel`: "mqtt", "http" or "telephony"."""

    claim: Claim
    payload: bytes
    channel: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """One message that could not become evidence, kept whole in quarantine. `security`: somebody may be trying something. `sequence`:
    the device's number for it, when it could be read."""

    topic: str
    message: bytes
    provider: str | None
    device: str | None
    event_id: str | None
    reason: str
    words: str
    security: bool = False
    sequence: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the device is told of one message, true once the caller has committed. Either `stored_index` or `refusal` is set."""

    provider: str | None
    device: str | None
    event_id: str | None
    sha256: str
    stored_index: int | None
    refusal: str | None
    words: str
    duplicate: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Fresh:
    """A message that is not in the log yet. `at`: its place in the batch."""

    at: int
    item: Incoming
    verdict: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Context:
    """What grading needs besides the claim, loaded once for the batch."""

    directory: Directory
    challenges: Mapping[str, tuple[ProviderId, DeviceId, datetime]]
    progress: Mapping[DeviceKey, Progress]
    offsets: Mapping[DeviceKey, float]
    fixes: frozenset[Fix]
    now: datetime
    policy: Policy


def receive(
    session: Session, *, items: Sequence[Incoming | Refused], now: datetime, policies: Policy
) -> tuple[Answer, ...]:
    """Store a batch in the caller's transaction and answer each item, in order. Nothing is true before that transaction commits.

    The same id with the same body gets the first receipt again; with another body it is stored as a conflict beside the first."""
    _quarantine(session, items, now)
    incoming = [(at, item) for at, item in enumerate(items) if isinstance(item, Incoming)]
    hold_devices(session, devices={(item.claim.provider, item.claim.device) for _, item in incoming})
    known = log.known(session, events={_key(item.claim) for _, item in incoming})
    fresh, repeats = _sort(incoming, known)
    rows = _rows(session, fresh, now, policies)
    passed = providers_answering(session, events=[row.evidence for row in rows], zone=policies.zone)
    indices = dict(zip((f.at for f in fresh), log.append(session, rows=rows), strict=True))
    if incoming:
        _keep_progress(session, incoming, rows, passed, now, policies)
    queue_days(session, rows, _conflicted(fresh, known), now, policies)
    alarms.raise_from_evidence(session, rows=rows, now=now, policy=policies, answering=passed)
    for at, first in repeats.items():
        indices[at] = indices[first] if isinstance(first, int) else first.index
    verdicts = {f.at: f.verdict for f in fresh}
    return tuple(_answer(at, item, indices, verdicts, set(repeats)) for at, item in enumerate(items))


def hold_devices(session: Session, *, devices: Collection[DeviceKey]) -> None:
    """Take in one batch of a device at a time: what is read of its progress from now on nobody else moves until the transaction ends. Who
    also keeps these devices' states, or those of others, holds all of them at once and first, so that nobody waits in a ring."""
    hold(session, names={f"device|{provider}|{device}" for provider, device in devices})


def resend_from(session: Session, *, provider: ProviderId, device: DeviceId) -> int | None:
    """The first sequence number that is missing below the newest one stored; None when there is no gap."""
    return next_missing(ingest_state.progress(session, devices=[(provider, device)]).get((provider, device)))


def issue_challenge(session: Session, *, provider: ProviderId, device: DeviceId, now: datetime, challenge: str) -> None:
    """Remember the challenge that the next receipt carries."""
    ingest_state.add_challenge(session, provider=provider, device=device, challenge=challenge, issued_at=now)


def days_touched(*, at: datetime, zone: str) -> frozenset[date]:
    """The care days of the visits whose time an event can fall in: one planned up to an hour later or two hours before."""
    instants = (at - timedelta(hours=2), at, at + timedelta(hours=1))
    return frozenset(care_day(instant, zone=zone) for instant in instants)


def _key(claim: Claim) -> EventKey:
    return (claim.provider, claim.device, claim.event_id)


def _quarantine(session: Session, items: Sequence[Incoming | Refused], now: datetime) -> None:
    rows = [
        Quarantined(
            received_at=now,
            topic=item.topic,
            message=item.message,
            sha256=sha256(item.message).hexdigest(),
            provider=item.provider,
            device=item.device,
            reason=item.reason,
            words=item.words,
            security=item.security,
            sequence=item.sequence,
        )
        for item in items
        if isinstance(item, Refused)
    ]
    ingest_state.quarantine(session, rows=rows)


def _sort(
    incoming: Sequence[tuple[int, Incoming]], known: Mapping[EventKey, tuple[Known, ...]]
) -> tuple[list[_Fresh], dict[int, Known | int]]:
    """What is new, and for each repeat the row (or the earlier place in this batch) whose receipt it gets again."""
    seen: dict[EventKey, dict[str, Known | int]] = {
        key: {row.sha256: row for row in reversed(rows)} for key, rows in known.items()
    }
    fresh: list[_Fresh] = []
    repeats: dict[int, Known | int] = {}
    for at, item in incoming:
        bodies = seen.setdefault(_key(item.claim), {})
        if item.claim.sha256 in bodies:
            repeats[at] = bodies[item.claim.sha256]
            continue
        fresh.append(_Fresh(at=at, item=item, verdict=CONFLICT if bodies else STORED))
        bodies[item.claim.sha256] = at
    return fresh, repeats


def _rows(session: Session, fresh: Sequence[_Fresh], now: datetime, policy: Policy) -> list[NewRow]:
    if not fresh:
        return []
    claims = [f.item.claim for f in fresh]
    resolved = load_directory(session, claims=claims, zone=policy.zone)
    people = [resolve(claim, directory=resolved) for claim in claims]
    fixes = [_fix(claim, who.worker) for claim, who in zip(claims, people, strict=True)]
    context = _Context(
        directory=resolved,
        challenges=ingest_state.challenges_issued(session, challenges={c.challenge for c in claims if c.challenge}),
        progress=ingest_state.progress(session, devices={(c.provider, c.device) for c in claims}),
        offsets=live_offsets(claims, now=now, policy=policy),
        fixes=log.fixes_seen(session, fixes=[fix for fix in fixes if fix is not None]),
        now=now,
        policy=policy,
    )
    seen: set[Fix] = set(context.fixes)
    rows = []
    for f, who, fix in zip(fresh, people, fixes, strict=True):
        rows.append(_row(f, who, context, replayed=fix is not None and fix in seen))
        if fix is not None:
            seen.add(fix)
    return flag_second_users(rows, progress=context.progress, devices=resolved.devices, policy=policy)


def _fix(claim: Claim, worker: WorkerId | None) -> Fix | None:
    """A fix as precise as phones give them; a coarse one (a region's centre, typed by hand) repeats honestly."""
    fix = claim.position
    if worker is None or fix is None or round(fix.latitude, 4) == fix.latitude:
        return None
    return (worker, fix.latitude, fix.longitude)


def _row(fresh: _Fresh, who: Resolved, context: _Context, *, replayed: bool) -> NewRow:
    claim = fresh.item.claim
    conflict = fresh.verdict == CONFLICT
    event = _graded(claim, who, context)
    flags = set(event.flags)
    if replayed:
        flags.add(FindingCode.REPLAYED_FIX.value)
    if conflict:
        flags.add(FindingCode.CONFLICTING_EVENTS.value)
    return NewRow(
        evidence=replace(event, flags=tuple(sorted(flags)), waits=conflict),
        payload=fresh.item.payload,
        device_type=claim.device_type,
        sequence=claim.sequence,
        previous=claim.previous,
        verdict=fresh.verdict,
        extra=_extra(claim, fresh.item.channel),
    )


def _graded(claim: Claim, who: Resolved, context: _Context) -> Evidence:
    key = (claim.provider, claim.device)
    progress = context.progress.get(key)
    time = grade_time(
        claim=claim,
        received_at=context.now,
        challenge_issued_at=_challenge_issued_at(claim, context),
        offset_before_seconds=None if progress is None else progress.offset_seconds,
        offset_after_seconds=context.offsets.get(key),
        policy=context.policy,
    )
    customer = who.customer
    place = grade_place(
        claim=claim,
        customer=None if customer is None else customer.customer_id,
        home=None if customer is None else customer.home,
        tag_customer=who.tag_customer,
        line_customers=who.line_customers,
        policy=context.policy,
    )
    return Evidence(
        event_id=claim.event_id,
        sha256=claim.sha256,
        source=Source.DEVICE,
        provider=claim.provider,
        device=claim.device,
        kind=claim.kind,
        at=claim.captured_at.astimezone(UTC).replace(microsecond=0),
        received_at=context.now,
        method=claim.method,
        grade_time=time.grade,
        grade_place=place.grade,
        worker=who.worker,
        customer=None if customer is None else customer.customer_id,
        visit=None if who.visit is None else who.visit.visit_id,
        position=claim.position,
        tasks=claim.tasks,
        words=claim.words,
        flags=(*time.flags, *place.flags),
    )


def _challenge_issued_at(claim: Claim, context: _Context) -> datetime | None:
    """When we issued the challenge the claim names; None if we never gave it to that device."""
    if claim.challenge is None or claim.challenge not in context.challenges:
        return None
    provider, device, issued_at = context.challenges[claim.challenge]
    return issued_at if (provider, device) == (claim.provider, claim.device) else None


def _extra(claim: Claim, channel: str) -> tuple[tuple[str, Any], ...]:
    """What the log keeps of a claim beside the columns: what a person or a later stage may ask for."""
    return (
        ("channel", channel),
        ("captured_at", claim.captured_at.isoformat()),
        ("customer", claim.customer),
        ("visit", claim.visit),
        ("worker", claim.worker),
        ("tag", claim.tag),
        ("boot_id", claim.boot_id),
        ("challenge", claim.challenge),
        ("popback_at", None if claim.popback_at is None else claim.popback_at.isoformat()),
        ("popback_minutes", claim.popback_minutes),
        ("app_version", claim.app_version),
        ("qos0", claim.qos0 or None),
    )


def _keep_progress(
    session: Session,
    incoming: Sequence[tuple[int, Incoming]],
    rows: Sequence[NewRow],
    passed: Mapping[EventId, ProviderId],
    now: datetime,
    policy: Policy,
) -> None:
    claims = [item.claim for _, item in incoming]
    advance(session, claims=claims, events=[row.evidence for row in rows], now=now, policy=policy)
    channels = {(item.claim.provider, item.claim.event_id): item.channel for _, item in incoming}
    marks = [
        Watermark(
            provider=provider,
            channel=channels[row.evidence.provider, row.evidence.event_id],
            newest_at=min(row.evidence.at, now),
            received_at=now,
        )
        for row in rows
        for provider in sorted({row.evidence.provider, passed.get(row.evidence.event_id, row.evidence.provider)})
    ]
    ingest_state.raise_watermarks(session, marks=marks)


def _conflicted(fresh: Sequence[_Fresh], known: Mapping[EventKey, tuple[Known, ...]]) -> list[Known]:
    """Rows stored earlier that now have a conflicting twin."""
    return [row for f in fresh if f.verdict == CONFLICT for row in known.get(_key(f.item.claim), ())]


def queue_days(
    session: Session, rows: Sequence[NewRow], conflicted: Sequence[Known], now: datetime, policy: Policy
) -> None:
    """Ask for every customer's day on which these new rows, and the rows they conflict with, can bear to be reconciled."""
    bearing = [row.evidence for row in rows if row.evidence.kind not in _BEARS_ON_NO_VISIT]
    seen = [(e.worker, e.customer, e.at) for e in bearing if e.customer is not None]
    seen += [(old.worker, old.customer, old.at) for old in conflicted if old.customer is not None]
    pairs = {(customer, day) for _, customer, at in seen for day in days_touched(at=at, zone=policy.zone)}
    pairs |= _across_midnight(session, seen, policy)
    named = plans.planned_visits_of(session, visit_ids={e.visit for e in bearing if e.visit is not None})
    pairs |= {(visit.customer_id, care_day(visit.start, zone=policy.zone)) for visit in named}
    ingest_state.queue_reconcile(session, pairs=pairs, now=now)


def _across_midnight(
    session: Session, seen: Sequence[tuple[WorkerId | None, CustomerId, datetime]], policy: Policy
) -> set[tuple[CustomerId, date]]:
    """The days of the check-ins that these events may close and of the check-outs that may close them, however long the stay: a
    night's check-out belongs to the evening before, and may come before its check-in does."""
    reach = timedelta(hours=policy.stay_hours_max)
    found: set[tuple[CustomerId, date]] = set()
    days: dict[date, list[tuple[WorkerId | None, CustomerId, datetime]]] = {}
    for worker, customer, at in seen:
        days.setdefault(care_day(at, zone=policy.zone), []).append((worker, customer, at))
    for day, own in sorted(days.items()):
        instants = [at for _, _, at in own]
        stored: dict[tuple[WorkerId, CustomerId], list[tuple[datetime, EventKind]]] = {}
        here, since, until = {customer for _, customer, _ in own}, min(instants) - reach, max(instants) + reach
        for (worker, customer, at), kind in log.presence_at(session, customer_ids=here, since=since, until=until):
            stored.setdefault((worker, customer), []).append((at, kind))
        for pair_worker, customer, at in own:
            events = stored.get((pair_worker, customer), []) if pair_worker is not None else []
            found |= {(customer, care_day(other, zone=policy.zone)) for other in _joined_to(at, events)}
            if _is_lone_check_out(at, events):
                found.add((customer, day - timedelta(days=1)))
    return found


def _is_lone_check_out(at: datetime, events: Sequence[tuple[datetime, EventKind]]) -> bool:
    """Whether it ends a stay nobody saw begin: perhaps a night's."""
    earlier = [kind for instant, kind in events if instant < at]
    return (at, EventKind.CHECK_OUT) in events and earlier[-1:] != [EventKind.CHECK_IN]


def _joined_to(at: datetime, events: Sequence[tuple[datetime, EventKind]]) -> set[datetime]:
    """Of one worker's events with one customer, oldest first: the check-ins straight before `at` and the check-outs straight after."""
    earlier = [event for event in reversed(events) if event[0] < at]
    later = [event for event in events if event[0] > at]
    opening = takewhile(lambda event: event[1] is EventKind.CHECK_IN, earlier)
    closing = takewhile(lambda event: event[1] is EventKind.CHECK_OUT, later)
    return {instant for instant, _ in (*opening, *closing)}


def _answer(
    at: int,
    item: Incoming | Refused,
    indices: Mapping[int, int],
    verdicts: Mapping[int, str],
    repeats: set[int],
) -> Answer:
    if isinstance(item, Refused):
        return Answer(
            provider=item.provider,
            device=item.device,
            event_id=item.event_id,
            sha256=sha256(item.message).hexdigest(),
            stored_index=None,
            refusal=item.reason,
            words=item.words,
            duplicate=False,
        )
    conflict = verdicts.get(at) == CONFLICT
    return Answer(
        provider=item.claim.provider,
        device=item.claim.device,
        event_id=item.claim.event_id,
        sha256=item.claim.sha256,
        stored_index=indices[at],
        refusal=None,
        words="stored beside another body of the same event: a person must look" if conflict else "stored",
        duplicate=at in repeats,
    )


_BEARS_ON_NO_VISIT = frozenset({EventKind.HEARTBEAT, EventKind.ON_MY_WAY, EventKind.POPBACK_REQUEST})
