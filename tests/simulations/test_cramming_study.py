"""The study behind the table in docs/simulation.md reads what the truth says, and its bar holds on a month that nobody tuned for."""

from evm.domain.policy import Policy
from simulations.cramming_study import Tally, flags, measured, month, visits_of


def test_honest_haste_at_two_in_five_accuses_nobody():
    """Broken: the precision that targets.md asks for would hold only while honest workers seldom go on at once."""
    truth = month(seed=31, early_after_sent_away=0.4)
    assert flags(truth, policy=Policy()) == truth.cramming_workers
    assert measured([truth], policy=Policy()) == Tally(true=4, flagged=4, false=0)


def test_only_what_was_logged_is_looked_at():
    """Broken: the study would know more than the product does."""
    stays = month(seed=31, early_after_sent_away=0.4).happenings.stays
    visits = visits_of(stays)
    assert len(visits) == sum(stay.logged for stay in stays) < len(stays)
    opened = [visit.slots[0].attendance for visit in visits]
    assert sum(one.end is None for one in opened) == sum(stay.logged and not stay.check_out_logged for stay in stays)


def test_precision_and_recall_are_shares_of_the_flagged_and_of_the_crammers():
    """Broken: the table's two last columns."""
    tally = Tally(true=10, flagged=9, false=1)
    assert (tally.precision, tally.recall) == (8 / 9, 8 / 10)
