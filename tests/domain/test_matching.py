"""Slots, ties and orders of the matcher on small tables. Its exactness against an enumeration is a law (tests/properties)."""

from evm.domain.ids import VisitId, WorkerId
from evm.domain.matching import Candidate, Opening, match


def opening(name="v1", start=0, *rostered, since=-3600, until=7200):
    return Opening(
        visit_id=VisitId(name),
        start=start,
        since=start + since,
        until=start + until,
        rostered=tuple(WorkerId(one) if one else None for one in rostered or ("w1",)),
    )


def stay(name, at, worker="w1", claimed=None):
    return Candidate(
        attendance_id=name, worker=WorkerId(worker), at=at, claimed=None if claimed is None else VisitId(claimed)
    )


def pairs(openings, candidates, taken=None):
    found = match(openings=openings, candidates=candidates, taken=taken or {})
    return {place: one.attendance_id for place, one in found.items()}


def test_most_pairs_come_before_nearness():
    """Broken: a nearer pair would leave two visits with one between them."""
    openings = [opening("v1", 0, until=3600), opening("v2", 3600)]
    found = pairs(openings, [stay("a", 3000, "w2"), stay("b", 3500)])
    assert found == {("v1", 0): "a", ("v2", 0): "b"}


def test_rostered_workers_decide_between_equal_sums():
    """Broken: the stranger would get the visit and the rostered worker be unplanned."""
    assert pairs([opening()], [stay("a", -60, "w2"), stay("b", 60)]) == {("v1", 0): "b"}


def test_the_attendance_id_decides_the_last_tie():
    """Broken: equal candidates would be chosen by order of arrival."""
    both = [stay("b", 60, "w3"), stay("a", 60, "w2")]
    assert pairs([opening()], both) == pairs([opening()], both[::-1]) == {("v1", 0): "a"}


def test_rostered_workers_stand_in_their_own_slots():
    """Broken: alerts by slot would name the wrong worker as absent."""
    found = pairs([opening("v1", 0, "w1", "w2")], [stay("a", 0, "w2"), stay("b", 5, "w9")])
    assert found == {("v1", 1): "a", ("v1", 0): "b"}


def test_one_worker_never_fills_two_slots():
    """Broken: one worker who comes twice would pass for a double-up."""
    found = pairs([opening("v1", 0, "w1", "w2")], [stay("a", 0), stay("b", 1800)])
    assert found == {("v1", 0): "a"}


def test_what_is_taken_stays_taken():
    """Broken: a second pass would push out the first one's matches."""
    first = match(openings=[opening()], candidates=[stay("a", 0)], taken={})
    assert match(openings=[opening()], candidates=[stay("b", 0, "w2")], taken=first) == {}


def test_a_claim_far_from_its_visit_does_not_count_as_one():
    """Broken: Monday's check-in could claim Friday's visit."""
    assert pairs([opening()], [stay("a", 13 * 3600, claimed="v1")]) == {}
    assert pairs([opening()], [stay("a", 11 * 3600, claimed="v1")]) == {("v1", 0): "a"}


def test_a_thousand_check_ins_at_one_visit_are_quick_and_exact():
    """Broken: one device could stall reconciliation for everybody."""
    crowd = [stay(f"a{number:04}", number * 3, f"w{number}") for number in range(1000)]
    assert set(pairs([opening("v1", 0, "w1", "w2")], crowd).values()) == {"a0000", "a0001"}
    assert len(pairs([opening("v1", 0, "w1", "w2"), opening("v2", 2400)], crowd)) == 3
