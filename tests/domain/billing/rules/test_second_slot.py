"""Second slot: presence, or the time both workers were there."""

from evm.domain.billing.agreement import SecondSlot
from evm.domain.billing.price import price, slot_minutes
from tests.domain.billing.bills import agreement, attendance, planned, to_bill, visit


def billed(*minutes, together, how):
    there = [
        None if each is None else attendance(name=f"w{slot}", seconds=each * 60) for slot, each in enumerate(minutes)
    ]
    happened = visit(*there, of=planned(workers=len(minutes), minutes=60), overlap_seconds=together * 60)
    found = price(visit=to_bill(happened), agreement=agreement(second_slot=how))
    return tuple(slot_minutes(found, slot=slot) for slot in range(len(minutes)))


def test_presence_pays_both_workers_for_their_time():
    """Cutting the second worker to the overlap although presence is agreed would break this."""
    assert billed(30, 25, together=20, how=SecondSlot.PRESENCE) == (30, 25)


def test_overlap_pays_the_second_worker_for_time_together():
    """Paying double-handed time that was single-handed would break this."""
    assert billed(30, 25, together=20, how=SecondSlot.OVERLAP) == (30, 20)


def test_the_longest_there_counts_as_the_first_whichever_slot_it_is():
    """A visit must not cost less because the roster numbered its workers the other way round."""
    assert billed(25, 30, together=20, how=SecondSlot.OVERLAP) == (20, 30)


def test_a_worker_left_alone_is_paid_as_one_worker():
    """The one who came is paid, even on the second slot."""
    assert billed(None, 30, together=0, how=SecondSlot.OVERLAP) == (0, 30)


def test_the_reduction_explains_itself():
    """A provider could not check it without the minutes alone."""
    there = (attendance(name="a"), attendance(name="b", seconds=1500))
    happened = visit(*there, of=planned(workers=2, minutes=60), overlap_seconds=1200)
    found = price(visit=to_bill(happened), agreement=agreement(second_slot=SecondSlot.OVERLAP))
    assert found[-1].words.startswith("5 minutes without the other worker are not paid")
