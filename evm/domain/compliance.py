"""Compliance with electronic monitoring (background S1): attended slots with an electronic check-in *and* check-out ÷ attended slots of
visits delivered. An amended attendance counts as delivered and never as electronic. Not quality, and no pay follows from it."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from fractions import Fraction

from evm.domain.ids import ProviderId, WorkerId
from evm.domain.visit import Attendance, Visit, VisitOutcome

_DELIVERED = frozenset({VisitOutcome.DELIVERED, VisitOutcome.PART_DELIVERED})


@dataclass(frozen=True, slots=True, kw_only=True)
class Share:
    """`electronic` of `delivered` attended slots."""

    delivered: int
    electronic: int

    @property
    def share(self) -> Fraction | None:
        """Exact; None when nothing was delivered."""
        return Fraction(self.electronic, self.delivered) if self.delivered else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Compliance:
    """By provider and by (provider, worker), sorted."""

    providers: tuple[tuple[ProviderId, Share], ...]
    workers: tuple[tuple[ProviderId, WorkerId, Share], ...]


def compliance(*, visits: Iterable[Visit]) -> Compliance:
    """The compliance that the newest versions of these planned visits show. Unplanned attendances are not visits delivered."""
    delivered: Counter[tuple[ProviderId, WorkerId]] = Counter()
    electronic: Counter[tuple[ProviderId, WorkerId]] = Counter()
    for visit in visits:
        for one in _attended(visit):
            delivered[visit.provider, one.worker] += 1
            electronic[visit.provider, one.worker] += is_electronic(one)
    return Compliance(
        providers=_by_provider(delivered, electronic),
        workers=tuple(
            (provider, worker, Share(delivered=count, electronic=electronic[provider, worker]))
            for (provider, worker), count in sorted(delivered.items())
        ),
    )


def is_electronic(attendance: Attendance) -> bool:
    """Both events came from a device, and nobody amended them."""
    return attendance.check_in is not None and attendance.check_out is not None and not attendance.amended


def _attended(visit: Visit) -> Sequence[Attendance]:
    if visit.visit_id is None or visit.outcome not in _DELIVERED:
        return ()
    return [record.attendance for record in visit.slots if record.attendance is not None]


def _by_provider(
    delivered: Counter[tuple[ProviderId, WorkerId]], electronic: Counter[tuple[ProviderId, WorkerId]]
) -> tuple[tuple[ProviderId, Share], ...]:
    providers = sorted({provider for provider, _ in delivered})
    return tuple(
        (
            name,
            Share(
                delivered=sum(count for (provider, _), count in delivered.items() if provider == name),
                electronic=sum(count for (provider, _), count in electronic.items() if provider == name),
            ),
        )
        for name in providers
    )
