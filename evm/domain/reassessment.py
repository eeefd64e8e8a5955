"""When the time given differs so much from what was commissioned that the council should look again (background S4, rules.md).
The yardstick is the commissioned allocation, not the drifting task plan. What the provider failed to give never counts against the
person: it becomes a concern about the provider instead, and never cuts a package."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction

from evm.domain.ids import CustomerId, VisitId
from evm.domain.plan import CancelledBy, PlannedVisit
from evm.domain.policy import Policy
from evm.domain.visit import Visit, VisitOutcome

_NOT_YET = frozenset({VisitOutcome.PENDING})


class Concern(StrEnum):
    """Whom the numbers are for."""

    REASSESSMENT = "reassessment"
    PROVIDER_SHORTFALL = "provider shortfall"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reassessment:
    """Minutes over the policy's weeks. `provider_minutes`: planned and not given for reasons on the provider's side. `words` carry the
    numbers a person decides on; it stays open until a person closes it."""

    customer: CustomerId
    concern: Concern
    commissioned_minutes: int
    evidenced_minutes: int
    provider_minutes: int
    refusals: int
    visits: int
    words: str


def reassessments(
    *,
    customer: CustomerId,
    commissioned_minutes_week: int,
    visits: Sequence[Visit],
    plan: Mapping[VisitId, PlannedVisit],
    policy: Policy,
    crammed: Collection[VisitId] = frozenset(),
) -> tuple[Reassessment, ...]:
    """What these (four) weeks of one customer's visits call for: at most one request of each concern.

    `crammed` are visits that a standing cramming flag names: what they lack is the provider's. Fewer planned visits than the policy's
    minimum call for nothing, but for refusals."""
    judged = [visit for visit in visits if visit.visit_id is not None and visit.outcome not in _NOT_YET]
    refusals = sum(visit.outcome is VisitOutcome.REFUSED for visit in judged)
    evidenced = sum(_minutes(visit) for visit in judged)
    shortfall = sum(_provider_minutes(visit, plan, crammed) for visit in judged)
    commissioned = commissioned_minutes_week * policy.cramming_weeks
    found = []
    enough = len(judged) >= policy.reassess_visits_min and commissioned > 0
    if refusals >= policy.reassess_refusals_min or (
        enough and not _within(Fraction(evidenced + shortfall, commissioned), policy)
    ):
        found.append(Concern.REASSESSMENT)
    if enough and shortfall and Fraction(evidenced, commissioned) < Fraction(str(policy.reassess_low)):
        found.append(Concern.PROVIDER_SHORTFALL)
    return tuple(
        Reassessment(
            customer=customer,
            concern=concern,
            commissioned_minutes=commissioned,
            evidenced_minutes=evidenced,
            provider_minutes=shortfall,
            refusals=refusals,
            visits=len(judged),
            words=_words(concern, commissioned, evidenced, shortfall, refusals, len(judged)),
        )
        for concern in found
    )


def _within(share: Fraction, policy: Policy) -> bool:
    return Fraction(str(policy.reassess_low)) <= share <= Fraction(str(policy.reassess_high))


def _minutes(visit: Visit) -> int:
    return sum(record.attendance.minutes for record in visit.slots if record.attendance is not None)


def _provider_minutes(visit: Visit, plan: Mapping[VisitId, PlannedVisit], crammed: Collection[VisitId]) -> int:
    """Planned minutes not given because the provider did not come, sent too few, called off, or crammed."""
    assert visit.visit_id is not None
    assert visit.planned_minutes is not None
    planned = visit.planned_minutes * len(visit.slots)
    if visit.outcome is VisitOutcome.MISSED:
        return planned
    if visit.outcome is VisitOutcome.CANCELLED:
        known = plan.get(visit.visit_id)
        by_provider = known is not None and known.cancelled is not None and known.cancelled.by is CancelledBy.PROVIDER
        return planned if by_provider else 0
    if visit.visit_id in crammed:
        return max(0, planned - _minutes(visit))
    return sum(visit.planned_minutes for record in visit.slots if record.attendance is None) if _came(visit) else 0


def _came(visit: Visit) -> bool:
    return visit.outcome is VisitOutcome.PART_DELIVERED


def _words(concern: Concern, commissioned: int, evidenced: int, shortfall: int, refusals: int, visits: int) -> str:
    numbers = f"{evidenced} of {commissioned} commissioned minutes were given in {visits} visits"
    if concern is Concern.PROVIDER_SHORTFALL:
        return f"{numbers}; {shortfall} minutes were lost on the provider's side: a matter of quality, not of the person's need."
    reason = f", {refusals} of them refused" if refusals else ""
    return f"{numbers}{reason}; {shortfall} more were lost on the provider's side and are not counted: please look again at the need."
