"""What another vendor's visit feed says becomes evidence: its source and grade are kept, a row that is sent again doubles nothing, and one
that says something else now stands beside the first for a person. Not the reading of its file (imports.kinds.feed).

Feeds come afterwards, so a provider who sends only those is not watched live: its deadlines are judged once its feed has passed them."""

import uuid
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, Final

import orjson
from sqlalchemy.orm import Session

from evm.domain.evidence import FEED_DEVICE, EventKind, Evidence, Grade, Method, Source
from evm.domain.finding import FindingCode
from evm.domain.grades import worse
from evm.domain.ids import CustomerId, DeviceId, EventId, ProviderId, VisitId, WorkerId
from evm.domain.policy import Policy
from evm.services.history import IMPORT
from evm.services.receive import queue_days
from evm.store import evidence as log
from evm.store import feeds, ingest_state, people
from evm.store.evidence import CONFLICT, STORED, EventKey, Known, NewRow
from evm.store.feeds import Monitoring, MonitoringEntry
from evm.store.ingest_state import Watermark

NAMESPACE: Final = uuid.UUID("5f0c6f0e-6f7b-5d0a-9f5c-7d2f6a1f4b11")
"""Under which the ids of feed events are derived; never changes, or feeds sent again would double."""

BEST_GRADE: Final = Grade.B
"""No feed is trusted further: nobody here saw the challenge or the tag (rules.md, Imported evidence)."""

PROVES_PLACE: Final = frozenset({Method.NFC, Method.QR, Method.GPS, Method.LANDLINE, Method.FIXED_TOKEN})
LATEST: Final = timedelta(hours=36)
"""A feed that has not come for so long is missing: a nightly one has been left out once, with half a day to spare."""

WHY_LENGTH_MAX: Final = 500


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedEvent:
    """One check-in or check-out of a feed, resolved. `row_ref` and `part` name it in the vendor's system for ever; `amended`: the vendor
    says that somebody changed the time. Grades are those the council grants this vendor."""

    provider: ProviderId
    vendor: str
    row_ref: str
    part: str
    kind: EventKind
    at: datetime
    method: Method
    worker: WorkerId
    customer: CustomerId
    visit: VisitId | None
    grade_time: Grade
    grade_place: Grade
    amended: bool

    @property
    def event_id(self) -> EventId:
        """Stable: derived from vendor, provider and the vendor's own row."""
        name = f"{self.vendor}|{self.provider}|{self.row_ref}|{self.part}"
        return EventId(str(uuid.uuid5(NAMESPACE, name)))


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedTaken:
    """What became of an event: `new`, `same` (it stands already), or `changed`: it now says something else than it did."""

    outcome: str
    before: datetime | None = None


def take_events(
    session: Session, *, events: Sequence[FeedEvent], now: datetime, policy: Policy
) -> tuple[FeedTaken, ...]:
    """Append what is new, queue the days it bears on, and say what became of each event in the order given.

    A changed event is appended as a conflict: both readings are kept and neither pays until a person decides (bad-input 15). An amended
    one waits for a person, too."""
    keys: list[EventKey] = [(event.provider, _device(event), event.event_id) for event in events]
    stands = log.known(session, events=keys)
    said: dict[EventKey, dict[str, datetime]] = {
        key: {row.sha256: row.at for row in rows} for key, rows in stands.items()
    }
    rows: list[NewRow] = []
    conflicted: list[Known] = []
    taken: list[FeedTaken] = []
    for event, key in zip(events, keys, strict=True):
        payload = _payload(event)
        digest = sha256(payload).hexdigest()
        before = said.setdefault(key, {})
        if digest in before:
            taken.append(FeedTaken(outcome="same"))
            continue
        conflict = bool(before)
        taken.append(FeedTaken(outcome="changed" if conflict else "new", before=next(iter(before.values()), None)))
        before[digest] = event.at
        rows.append(_row(event, key[2], payload, digest, now, conflict=conflict))
        if conflict:
            conflicted += stands.get(key, ())
    log.append_many(session, rows=rows)
    queue_days(session, rows, conflicted, now, policy)
    _raise_watermarks(session, rows, now)
    return tuple(taken)


def _payload(event: FeedEvent) -> bytes:
    """What the vendor says of this event and nothing else: a row whose check-out changed leaves its check-in as it was."""
    said: dict[str, Any] = {
        "amended": event.amended,
        "at": event.at.isoformat(),
        "customer": event.customer,
        "kind": event.kind.value,
        "method": event.method.value,
        "part": event.part,
        "row": event.row_ref,
        "vendor": event.vendor,
        "visit": event.visit,
        "worker": event.worker,
    }
    return orjson.dumps(said, option=orjson.OPT_SORT_KEYS)


def _device(event: FeedEvent) -> DeviceId:
    return DeviceId(FEED_DEVICE + event.vendor)


def _row(event: FeedEvent, event_id: EventId, payload: bytes, digest: str, now: datetime, *, conflict: bool) -> NewRow:
    flags = {FindingCode.AMENDED.value} if event.amended else set()
    if conflict:
        flags.add(FindingCode.CONFLICTING_EVENTS.value)
    place = event.grade_place if event.method in PROVES_PLACE else Grade.C
    evidence = Evidence(
        event_id=event_id,
        sha256=digest,
        source=Source.IMPORT,
        provider=event.provider,
        device=_device(event),
        kind=event.kind,
        at=event.at,
        received_at=now,
        method=event.method,
        grade_time=worse(event.grade_time, BEST_GRADE),
        grade_place=worse(place, BEST_GRADE),
        worker=event.worker,
        customer=event.customer,
        visit=event.visit,
        flags=tuple(sorted(flags)),
        waits=conflict or event.amended,
    )
    return NewRow(
        evidence=evidence,
        payload=payload,
        device_type=IMPORT,
        verdict=CONFLICT if conflict else STORED,
        extra=(("channel", IMPORT), ("vendor", event.vendor), ("row", event.row_ref)),
    )


def _raise_watermarks(session: Session, rows: Sequence[NewRow], now: datetime) -> None:
    newest: dict[ProviderId, datetime] = {}
    for row in rows:
        provider, at = row.evidence.provider, min(row.evidence.at, now)
        newest[provider] = max(at, newest.get(provider, at))
    marks = [
        Watermark(provider=provider, channel=IMPORT, newest_at=at, received_at=now) for provider, at in newest.items()
    ]
    ingest_state.raise_watermarks(session, marks=marks)


class MonitoringRefused(ValueError):  # noqa: N818 -- named for what is wrong
    """How the provider is monitored cannot be set so: the field at fault and the remedy."""

    def __init__(self, *, field: str, words: str) -> None:
        super().__init__(f"{field}: {words}")
        self.field = field
        self.words = words


def set_monitoring(
    session: Session, *, provider_id: ProviderId, kind: Monitoring, why: str, who: str, now: datetime
) -> None:
    """Say whether a provider's visits are heard of as they happen or in files that come afterwards. MonitoringRefused."""
    reason = " ".join(why.split())
    if provider_id not in {provider.provider_id for provider in people.providers(session)}:
        raise MonitoringRefused(field="provider", words="is not a provider known here")
    if not reason or len(reason) > WHY_LENGTH_MAX or "\x00" in reason:
        raise MonitoringRefused(field="why", words=f"is needed: say in 1 to {WHY_LENGTH_MAX} characters why")
    entry = MonitoringEntry(provider=provider_id, kind=kind, why=reason, who=who, set_at=now)
    feeds.add_monitoring(session, entry=entry)


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedReach:
    """How far the feeds of a provider that is not watched live have come: everything before `covered_until` is in a file that came (None:
    none has). `since`: when the last one came, or, before the first, when the provider was said to send feeds."""

    covered_until: datetime | None
    since: datetime


def reach_of_feeds(session: Session, *, providers: Collection[ProviderId]) -> dict[ProviderId, FeedReach]:
    """Those of these providers who are monitored by feed, and how far theirs have come. A provider for whom nothing was set is, when a
    feed of it came and nothing ever came live. Of several feeds the one that lags counts."""
    if not providers:
        return {}
    stated = feeds.monitoring(session, provider_ids=providers)
    reach: dict[ProviderId, FeedReach] = {}
    for feed in feeds.vendor_feeds_of(session, provider_ids=providers):
        known = reach.get(feed.provider)
        if known is None or known.covered_until is None or feed.covered_until < known.covered_until:
            reach[feed.provider] = FeedReach(covered_until=feed.covered_until, since=feed.received_at)
    live = {mark.provider for mark in ingest_state.watermarks(session) if mark.channel != IMPORT} if reach else set()
    found: dict[ProviderId, FeedReach] = {}
    for provider in sorted(set(providers)):
        setting = stated.get(provider)
        if setting is None:
            if provider in reach and provider not in live:
                found[provider] = reach[provider]
        elif setting.kind is Monitoring.FEED:
            found[provider] = reach.get(provider, FeedReach(covered_until=None, since=setting.set_at))
    return found


def not_yet_told(reach: Mapping[ProviderId, FeedReach], *, provider: ProviderId, at: datetime) -> bool:
    """Whether what happened at `at` cannot have been told yet, because the provider is monitored by feed and none has reached so far."""
    one = reach.get(provider)
    return one is not None and (one.covered_until is None or one.covered_until <= at)


def feed_is_missing(reach: FeedReach, *, now: datetime) -> bool:
    """Whether a feed should have come by now (LATEST)."""
    return now - reach.since > LATEST
