"""One human being in two places at once: each of the stays that overlap gets a finding (bad-input 84). Not the cap of the earlier stay,
which follows from the worker's next check-in (attendances.py), and not what becomes of the money (billing)."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from evm.domain.attendances import Stay, clock
from evm.domain.finding import Finding, FindingCode
from evm.domain.ids import WorkerId
from evm.domain.policy import Policy

SamePerson = Mapping[WorkerId, Collection[WorkerId]]
"""Workers who are known to be one human being, of several providers: each of them with the others."""


def with_overlaps(*, stays: Sequence[Stay], same: SamePerson, policy: Policy) -> tuple[Stay, ...]:
    """The stays in their order; the later of two that overlap says until when the worker is recorded elsewhere (the earlier one says so
    itself), and with another provider both say from when until when. Of the other provider nothing but the time is said."""
    found: dict[int, list[Finding]] = defaultdict(list)
    for places in _by_person(stays, same).values():
        reaching: list[int] = []
        for place in places:
            reaching = [other for other in reaching if _reaches(stays[other], stays[place])]
            for other in reaching:
                _compare(stays, other, place, found, policy)
            reaching.append(place)
    if not found:
        return tuple(stays)
    return tuple(
        replace(stay, findings=(*stay.findings, *found[place])) if place in found else stay
        for place, stay in enumerate(stays)
    )


def _by_person(stays: Sequence[Stay], same: SamePerson) -> dict[WorkerId, list[int]]:
    """The places of each person's closed stays, in the order in which they began; of people with one stay only none."""
    found: dict[WorkerId, list[int]] = defaultdict(list)
    for place, stay in enumerate(stays):
        if stay.start is not None and stay.end is not None and not stay.is_ahead:
            found[min([stay.worker, *same.get(stay.worker, ())])].append(place)
    return {
        person: sorted(places, key=lambda place: (stays[place].start, stays[place].attendance_id))
        for person, places in found.items()
        if len(places) > 1
    }


def _reaches(earlier: Stay, later: Stay) -> bool:
    """Whether the earlier stay lasts beyond the later one's start."""
    assert earlier.end is not None
    assert later.start is not None
    return later.start < earlier.end


def _compare(stays: Sequence[Stay], earlier: int, later: int, found: dict[int, list[Finding]], policy: Policy) -> None:
    one, two = stays[earlier], stays[later]
    assert one.start is not None
    assert one.end is not None
    assert two.start is not None
    if one.worker != two.worker:
        found[earlier].append(_with_another(one, two, policy))
        found[later].append(_with_another(two, one, policy))
    elif one.customer != two.customer:
        words = (
            f"Checked in here at {clock(two.start, policy=policy)}, yet recorded elsewhere from "
            f"{clock(one.start, policy=policy)} until {clock(one.end, policy=policy)}."
        )
        found[later].append(_on(two, words))


def _with_another(here: Stay, there: Stay, policy: Policy) -> Finding:
    assert there.start is not None
    assert there.end is not None
    words = (
        "The same person is recorded with another provider from "
        f"{clock(there.start, policy=policy)} until {clock(there.end, policy=policy)}."
    )
    return _on(here, words)


def _on(stay: Stay, words: str) -> Finding:
    events = tuple(sorted(event.event_id for event in (stay.check_in, stay.check_out) if event is not None))
    return Finding(code=FindingCode.OVERLAP, words=words, evidence=events)
