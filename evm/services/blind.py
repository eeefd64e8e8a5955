"""Blind is a state, not silence: when nothing comes from a provider although check-ins were expected, its overdue visits are unconfirmed,
and one grouped page says so at once. Not a missed visit, and not one phone without signal: the others' events show that we see.

A provider who only sends files afterwards is not blind in between: its deadlines wait for the file that tells of their time, and a page
says so when none comes."""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from sqlalchemy.orm import Session

from evm.domain.alerts.situation import AlertDraft, AlertKind
from evm.domain.ids import ProviderId, VisitId
from evm.domain.period import care_day, ends_at, in_zone
from evm.domain.plan import PlannedVisit, Risk
from evm.domain.policy import Policy
from evm.services.alarms import raise_drafts
from evm.services.feeds import feed_is_missing, not_yet_told, reach_of_feeds
from evm.store import alerts as alert_store
from evm.store import epochs, ingest_state, plans

EXPECTED_MIN = 7
"""So many check-ins must have been expected before their absence says that we are blind (rules.md)."""

LOOK_AGAIN_AFTER = timedelta(seconds=60)
SENT_AGAIN_WITHIN = timedelta(minutes=15)
"""So long after the first phone of a provider is heard of in a restored log, the others have sent again what it lost."""
HEARD_AGAIN_WITHIN = timedelta(hours=1)
"""So long after a restore the first phone is waited for."""
IMPORT_CHANNEL = "import"
FEED_LOOK_AGAIN_AFTER = timedelta(minutes=15)
CHECK_OUT_TOLD_AFTER = timedelta(minutes=30)


def blind_since(
    session: Session, *, providers: Collection[ProviderId], now: datetime, policy: Policy
) -> dict[ProviderId, datetime]:
    """The blind ones of these providers and when each was last heard of: at least seven visits should have begun since then, the
    last of them longer ago than lateness explains. A provider never heard of live is not blind: it has not begun."""
    heard = _last_heard(session, providers)
    blind: dict[ProviderId, datetime] = {}
    for provider, last in sorted(heard.items()):
        begun = _expected(session, provider, (last, now - timedelta(minutes=policy.late_minutes_max)), policy)
        if begun >= EXPECTED_MIN:
            blind[provider] = last
    return blind


def restored_at(session: Session, *, provider: ProviderId, now: datetime) -> datetime | None:
    """When the log was restored, if a provider's phones may not have sent again yet what it lost: what seems missed then may have been
    receipted before. None: it was not, or they have had their time."""
    epoch = epochs.current(session)
    if epoch is None:
        return None
    heard = epochs.first_heard(session, epoch=epoch, provider_id=provider)
    begun = min(epoch.opened_at + HEARD_AGAIN_WITHIN, heard or now)
    return epoch.opened_at if now < begun + SENT_AGAIN_WITHIN else None


def untold(
    session: Session, *, overdue: Collection[PlannedVisit], now: datetime, policy: Policy
) -> tuple[frozenset[VisitId], tuple[int, ...]]:
    """Those of these overdue visits of which nothing can have been told yet, because their provider is monitored by feed and none has
    come that reaches past them; and the pages that its feed is missing."""
    reach = reach_of_feeds(session, providers={visit.provider_id for visit in overdue})
    waiting = [v for v in overdue if not_yet_told(reach, provider=v.provider_id, at=_told_by(v, policy))]
    paged: list[int] = []
    for provider in sorted({visit.provider_id for visit in waiting}):
        if feed_is_missing(reach[provider], now=now):
            theirs = [visit for visit in waiting if visit.provider_id == provider]
            since = reach[provider].since
            paged += page_blindness(
                session, provider=provider, since=since, overdue=theirs, now=now, policy=policy, by_feed=True
            )
    return frozenset(visit.visit_id for visit in waiting), tuple(paged)


def _told_by(visit: PlannedVisit, policy: Policy) -> datetime:
    """A feed that reaches past this tells whether and how long somebody came."""
    late = visit.start + timedelta(minutes=policy.match_after_minutes)
    return max(late, ends_at(start=visit.start, minutes=visit.minutes) + CHECK_OUT_TOLD_AFTER)


def page_blindness(
    session: Session,
    *,
    provider: ProviderId,
    since: datetime,
    overdue: Sequence[PlannedVisit],
    now: datetime,
    policy: Policy,
    by_feed: bool = False,
    restored: bool = False,
) -> tuple[int, ...]:
    """One grouped page for each spell of blindness, and one more whenever a time-critical visit falls overdue in it."""
    critical = sorted({v.visit_id for v in overdue if v.risk is Risk.TIME_CRITICAL})
    words = _feed_words if by_feed else _restored_words if restored else _words
    spell = _draft(provider, since.isoformat(), words(provider, since, critical, policy), now)
    raised = raise_drafts(session, drafts=[spell], now=now)
    if raised:
        return raised
    named = " ".join(a.words for a in alert_store.alert_list(session, provider_id=provider, kind=AlertKind.BLIND.value))
    critical = [visit for visit in critical if visit not in named]
    more = [_draft(provider, f"{v}:{since.isoformat()}", words(provider, since, [v], policy), now) for v in critical]
    return raise_drafts(session, drafts=more, now=now)


def _last_heard(session: Session, providers: Collection[ProviderId]) -> dict[ProviderId, datetime]:
    heard: dict[ProviderId, datetime] = {}
    for mark in ingest_state.watermarks(session):
        if mark.provider in providers and mark.channel != IMPORT_CHANNEL:
            heard[mark.provider] = max(mark.received_at, heard.get(mark.provider, mark.received_at))
    return heard


def _expected(session: Session, provider: ProviderId, between: tuple[datetime, datetime], policy: Policy) -> int:
    since, until = between
    if until <= since:
        return 0
    first, last = care_day(since, zone=policy.zone), care_day(until, zone=policy.zone)
    planned = plans.planned_visits(
        session,
        provider_id=provider,
        since_day=max(first, last - timedelta(days=1)),
        until_day=last + timedelta(days=1),
    )
    return sum(v.workers_needed for v in planned if v.cancelled is None and since <= v.start < until)


def _draft(provider: ProviderId, key: str, words: str, now: datetime) -> AlertDraft:
    return AlertDraft(
        kind=AlertKind.BLIND,
        key=f"{AlertKind.BLIND.value}:{provider}:{key}",
        provider=provider,
        risk=Risk.TIME_CRITICAL,
        due_at=now,
        words=words,
        pages=True,
    )


def _words(provider: ProviderId, since: datetime, critical: Sequence[VisitId], policy: Policy) -> str:
    at = in_zone(since, zone=policy.zone)
    named = f" Time-critical: {', '.join(critical)}." if critical else ""
    return (
        f"Nothing has come from provider {provider} since {at:%H:%M} although check-ins were expected: "
        f"overdue visits are unconfirmed, not missed.{named}"
    )


def _feed_words(provider: ProviderId, since: datetime, critical: Sequence[VisitId], policy: Policy) -> str:
    at = in_zone(since, zone=policy.zone)
    named = f" Time-critical: {', '.join(critical)}." if critical else ""
    return (
        f"No feed has come from provider {provider} since {at.day} {at:%B %H:%M} although visits were planned: "
        f"they are unconfirmed, not missed.{named}"
    )


def _restored_words(provider: ProviderId, since: datetime, critical: Sequence[VisitId], policy: Policy) -> str:
    at = in_zone(since, zone=policy.zone)
    named = f" Time-critical: {', '.join(critical)}." if critical else ""
    return (
        f"The log was restored on {at.day} {at:%B} at {at:%H:%M} and the phones of provider {provider} are sending again what it lost: "
        f"overdue visits from before are unconfirmed, not missed.{named}"
    )
