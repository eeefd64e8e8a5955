"""What an operator does about a provider's shadow mode and monitoring from the command line. Not their rules (evm.services)."""

from datetime import date
from pathlib import Path
from typing import Any

from api.intake import user_name
from api.office import OfficeRefused, opened
from evm.domain.ids import CouncilId, ProviderId
from evm.domain.period import care_day
from evm.services import feeds, shadow
from evm.services.feeds import MonitoringRefused
from evm.services.shadow import ShadowRefused
from evm.store import feeds as feed_store
from evm.store import shadow as shadow_store
from evm.store.feeds import Monitoring


def set_shadow(
    *, data: Path, database: str | None, provider: str, council: str, until: str, why: str, by: str | None
) -> dict[str, Any]:
    """Set until which day a provider's verdicts hold no money. Raises OfficeRefused."""
    day = _day(until)
    with opened(data=data, database=database) as parts, parts.sessions.begin() as session:
        try:
            entry = shadow.set_shadow(
                session,
                council_id=CouncilId(council),
                provider_id=ProviderId(provider),
                until=day,
                why=why,
                who=by or user_name(),
                now=parts.clock(),
                policy=parts.policy,
            )
        except ShadowRefused as refused:
            raise OfficeRefused(_option(refused.field, refused.words)) from None
    return {
        "provider": entry.provider,
        "council": entry.council,
        "before": _said(entry.before),
        "shadow_until": _said(entry.shadow_until),
        "who": entry.who,
        "why": entry.why,
    }


def show_shadow(*, data: Path, database: str | None, provider: str, council: str) -> dict[str, Any]:
    """Until which day shadow mode runs, and every setting that was made, the newest first. Raises OfficeRefused."""
    with opened(data=data, database=database) as parts, parts.sessions() as session:
        payer, paid = CouncilId(council), ProviderId(provider)
        today = care_day(parts.clock(), zone=parts.policy.zone)
        until = shadow.shadow_until(session, council_id=payer, provider_id=paid, today=today)
        entries = shadow_store.history(session, council_id=payer, provider_id=paid)
    return {
        "provider": provider,
        "council": council,
        "shadow_until": _said(until),
        "settings": [
            {
                "set_at": each.set_at.isoformat(),
                "before": _said(each.before),
                "shadow_until": _said(each.shadow_until),
                "who": each.who,
                "why": each.why,
            }
            for each in entries
        ],
    }


def set_monitoring(
    *, data: Path, database: str | None, provider: str, kind: str, why: str, by: str | None
) -> dict[str, Any]:
    """Say whether a provider's visits are heard of live or by feed. Raises OfficeRefused."""
    with opened(data=data, database=database) as parts, parts.sessions.begin() as session:
        try:
            feeds.set_monitoring(
                session,
                provider_id=ProviderId(provider),
                kind=Monitoring(kind),
                why=why,
                who=by or user_name(),
                now=parts.clock(),
            )
        except MonitoringRefused as refused:
            raise OfficeRefused(_option(refused.field, refused.words)) from None
    return {"provider": provider, "monitoring": kind, "why": why}


def show_monitoring(*, data: Path, database: str | None, provider: str) -> dict[str, Any]:
    """How a provider is monitored, and how far its feeds have come. Raises OfficeRefused."""
    wanted = ProviderId(provider)
    with opened(data=data, database=database) as parts, parts.sessions() as session:
        by_feed = feeds.reach_of_feeds(session, providers=[wanted])
        stated = feed_store.monitoring(session, provider_ids=[wanted]).get(wanted)
        known = feed_store.vendor_feeds_of(session, provider_ids=[wanted])
    return {
        "provider": provider,
        "monitoring": Monitoring.FEED.value if by_feed else Monitoring.LIVE.value,
        "set_by": None if stated is None else stated.who,
        "why": None if stated is None else stated.why,
        "feeds": [
            {
                "vendor": feed.vendor,
                "received_at": feed.received_at.isoformat(),
                "covered_until": feed.covered_until.isoformat(),
            }
            for feed in known
        ],
    }


def _day(text: str) -> date:
    try:
        if len(text) != len("YYYY-MM-DD"):
            raise ValueError(text)
        return date.fromisoformat(text)
    except ValueError:
        raise OfficeRefused("--until must be a day written YYYY-MM-DD") from None


def _option(field: str, words: str) -> str:
    named = {"provider": "the provider", "council": "--council", "until": "--until", "why": "--why"}
    return f"{named.get(field, field)} {words}"


def _said(day: date | None) -> str | None:
    return None if day is None else day.isoformat()
