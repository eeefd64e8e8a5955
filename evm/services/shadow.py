"""The use case "set a provider's shadow mode": the council says until which day verdicts hold no money, and why; every setting is kept.
Not what shadow mode pays (evm.domain.billing.judge, ADR-0004)."""

import unicodedata
from datetime import date, datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from evm.domain.billing.agreement import agreement_on
from evm.domain.ids import CouncilId, ProviderId
from evm.domain.period import care_day
from evm.domain.policy import Policy
from evm.services import invoice
from evm.store import money, people, shadow
from evm.store.shadow import ShadowEntry

DAYS_AHEAD_MAX: Final = 366
WHY_LENGTH_MAX: Final = 500


class ShadowRefused(ValueError):  # noqa: N818 -- named for what is wrong
    """Shadow mode cannot be set so. `field` is what is at fault, `words` why and what to do."""

    def __init__(self, *, field: str, words: str) -> None:
        super().__init__(f"{field}: {words}")
        self.field = field
        self.words = words


def set_shadow(
    session: Session,
    *,
    council_id: CouncilId,
    provider_id: ProviderId,
    until: date,
    why: str,
    who: str,
    now: datetime,
    policy: Policy,
) -> ShadowEntry:
    """Verdicts of care days before `until` hold no money from now on; `until` at or before today ends shadow mode. Judged invoices of the
    days that changed are judged again, so that extending releases what they hold.

    ShadowRefused: ending it earlier would hold money again on days that a judged invoice has paid in shadow mode; a day too far ahead; no
    agreement; no reason."""
    _check_parties(session, council_id, provider_id)
    today = care_day(now, zone=policy.zone)
    reason = _checked_reason(why)
    if until > today + timedelta(days=DAYS_AHEAD_MAX):
        words = (
            f"is more than {DAYS_AHEAD_MAX} days ahead; shadow mode is for beginning, so set a nearer day and extend it"
        )
        raise ShadowRefused(field="until", words=words)
    before = shadow_until(session, council_id=council_id, provider_id=provider_id, today=today)
    if before == until:
        raise ShadowRefused(field="until", words=f"is the day that stands already ({until})")
    _check_not_backwards(session, council_id, provider_id, until=until, before=before)
    entry = ShadowEntry(
        council=council_id,
        provider=provider_id,
        shadow_until=until,
        before=before,
        why=reason,
        who=who,
        set_at=now,
    )
    shadow.add_entry(session, entry=entry)
    since = before or date.min
    for invoice_id, _, _ in shadow.judged_invoices(
        session, council_id=council_id, provider_id=provider_id, since=min(since, until), until=max(since, until)
    ):
        invoice.judge(session, invoice_id=invoice_id, now=now, policy=policy)
    return entry


def shadow_until(session: Session, *, council_id: CouncilId, provider_id: ProviderId, today: date) -> date | None:
    """The first day on which verdicts hold money: what the council set last, or else the term of the agreement in force today."""
    newest = shadow.newest_entry(session, council_id=council_id, provider_id=provider_id)
    if newest is not None:
        return newest.shadow_until
    deals = money.agreements(session, provider_id=provider_id, council_id=council_id)
    current = agreement_on(deals, day=today)
    return None if current is None else current.shadow_until


def _check_parties(session: Session, council_id: CouncilId, provider_id: ProviderId) -> None:
    if council_id not in {council.council_id for council in people.councils(session)}:
        raise ShadowRefused(field="council", words="is not a council known here")
    if provider_id not in {provider.provider_id for provider in people.providers(session)}:
        raise ShadowRefused(field="provider", words="is not a provider known here")
    if not money.agreements(session, provider_id=provider_id, council_id=council_id):
        raise ShadowRefused(
            field="provider", words="has no agreement with this council: nothing is judged between them"
        )


def _checked_reason(why: str) -> str:
    reason = " ".join(why.split())
    if not reason or len(reason) > WHY_LENGTH_MAX:
        raise ShadowRefused(field="why", words=f"is needed: say in 1 to {WHY_LENGTH_MAX} characters why")
    if any(unicodedata.category(letter) == "Cc" for letter in reason):
        raise ShadowRefused(field="why", words="must be printable")
    return reason


def _check_not_backwards(
    session: Session, council_id: CouncilId, provider_id: ProviderId, *, until: date, before: date | None
) -> None:
    """What shadow mode has paid stays paid: it cannot end before the days of an invoice that was judged while it ran."""
    if before is None or until > before:
        return
    judged = shadow.judged_invoices(session, council_id=council_id, provider_id=provider_id, since=until, until=before)
    if judged:
        _, number, last = judged[-1]
        words = f"lies before days that invoice {number} was judged for in shadow mode; the earliest possible is {min(last, before)}"
        raise ShadowRefused(field="until", words=words)
