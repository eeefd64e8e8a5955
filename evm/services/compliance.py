"""How much of a provider's delivered care was checked in and out electronically. Not the counting rule (evm.domain.compliance)."""

from datetime import date

from sqlalchemy.orm import Session

from evm.domain.compliance import Compliance, compliance
from evm.domain.ids import ProviderId
from evm.store import visits


def report(session: Session, *, provider_id: ProviderId, since_day: date, until_day: date) -> Compliance:
    """The compliance of care days `[since_day, until_day)` by the newest versions of their visits."""
    return compliance(visits=visits.newest(session, provider_id=provider_id, since_day=since_day, until_day=until_day))
