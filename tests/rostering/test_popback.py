"""Pop-backs into a published roster: ranked, verified, gentle, and honest when there is no room."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rostering.popback import StaleOfferError, accept, insert, offers
from rostering.problem import Window
from rostering.replan import replan
from rostering.roster import Roster, Unfilled
from rostering.solver import Params, solve
from rostering.stop import Iterations
from rostering.verify import violations

from .factories import HOUR, MINUTE, demand, double, locality_day, problem, problems, worker
from .test_constraints import run_of


def published(given_problem) -> Roster:
    """A roster of the problem as it might be published."""
    return solve(problem=given_problem, stop=Iterations(20), seed=1, params=Params(effort_seconds=0)).roster


def test_an_offer_into_a_free_gap_moves_nobody():
    """A published visit disturbed without need."""
    day = problem([demand("a", 9), demand("b", 12, place=2)], [worker("w")])
    roster = Roster(runs=(run_of(day, "w", ("a", 0, 9), ("b", 0, 12)),))
    found = offers(problem=day, roster=roster, demand=demand("p", 10.5, place=3), earliest=10 * HOUR, latest=11 * HOUR)
    assert [(offer.workers, offer.start, offer.moved) for offer in found.offers] == [(("w",), int(10.5 * HOUR), ())]
    assert found.offers[0].extra_travel_seconds == 10 * MINUTE


def test_an_offer_says_what_it_moves_and_by_how_much():
    """Consequences hidden from whoever accepts."""
    day = problem([demand("a", 9), demand("b", 10, place=2)], [worker("w")])
    roster = Roster(runs=(run_of(day, "w", ("a", 0, 9), ("b", 0, 10)),))
    asked = demand("p", 9.7, place=3)
    found = offers(problem=day, roster=roster, demand=asked, earliest=int(9.6 * HOUR), latest=int(9.7 * HOUR))
    moved = found.offers[0].moved
    assert {move.visit for move in moved} <= {"a", "b"}
    assert found.offers[0].moved_seconds == 20 * MINUTE
    after = insert(roster=roster, offer=found.offers[0])
    assert {move.visit: move.becomes for move in moved}.items() <= {
        visit: start for (visit, _), (_, start) in after.starts().items()
    }.items()


@pytest.mark.parametrize("firm", [{"pinned_workers": ("w",)}, {"pinned_start": 10 * HOUR}, {"must_keep": True}])
def test_pinned_visits_and_accepted_popbacks_never_move_for_another(firm):
    """A promise moved to keep another."""
    still = demand("b", 10, place=2, **firm)
    day = problem([demand("a", 9, windows=(Window(9 * HOUR, 9 * HOUR),)), still], [worker("w")])
    roster = Roster(runs=(run_of(day, "w", ("a", 0, 9), ("b", 0, 10)),))
    found = offers(problem=day, roster=roster, demand=demand("p", 9.7, place=3), earliest=9 * HOUR, latest=10 * HOUR)
    assert found.offers == ()
    assert found.nearest[0].rule == "travel_feasible"
    assert found.other_starts


def test_offers_are_ranked_and_one_for_each_worker():
    """The dearest first, or the same worker five times."""
    day = problem([demand("a", 9)], [worker(name, home=n) for n, name in enumerate(("w", "x", "y"))])
    roster = Roster(runs=(run_of(day, "w", ("a", 0, 9)),))
    found = offers(problem=day, roster=roster, demand=demand("p", 12, place=1), earliest=11 * HOUR, latest=13 * HOUR)
    assert {offer.workers for offer in found.offers} == {("w",), ("x",), ("y",)}
    points = [offer.points for offer in found.offers]
    assert points == sorted(points)
    assert len(offers(
        problem=day, roster=roster, demand=demand("p", 12), earliest=11 * HOUR, latest=13 * HOUR, limit=1
    ).offers) == 1  # fmt: skip


def test_a_double_up_popback_is_offered_to_two_workers_together():
    """A pop-back that needs two promised with one."""
    day = problem([demand("a", 9)], [worker("w"), worker("x")])
    roster = Roster(runs=(run_of(day, "w", ("a", 0, 9)),))
    found = offers(problem=day, roster=roster, demand=double("p", 12), earliest=11 * HOUR, latest=13 * HOUR)
    more, after = accept(problem=day, roster=roster, offer=found.offers[0])
    assert violations(problem=more, roster=after) == ()
    assert {who for (visit, _), (who, _) in after.starts().items() if visit == "p"} == {"w", "x"}


def test_a_popback_keeps_the_gap_to_its_customers_other_visits():
    """An extra lunch straight after lunch."""
    lunch = demand("lunch", 12, customer="one", windows=(Window(12 * HOUR, 12 * HOUR),), gap_seconds=HOUR)
    day = problem([lunch], [worker("w")])
    roster = Roster(runs=(run_of(day, "w", ("lunch", 0, 12)),))
    asked = demand("p", 12.5, customer="one")
    found = offers(problem=day, roster=roster, demand=asked, earliest=12 * HOUR, latest=14 * HOUR)
    assert [offer.start for offer in found.offers] == [int(13.5 * HOUR)]


@pytest.mark.parametrize(
    ("asked", "rule"),
    [
        (demand("p", 12, language="Welsh"), "gender_language"),
        (demand("p", 4), "availability"),
        (demand("p", 9, place=2), "travel_feasible"),
    ],
)
def test_no_offer_says_why_and_who_was_nearest(asked, rule):
    """A customer told no without a reason."""
    fixed = (Window(9 * HOUR, 9 * HOUR),)
    day = problem([demand("a", 9, windows=fixed)], [worker("w")])
    roster = Roster(runs=(run_of(day, "w", ("a", 0, 9)),))
    window = asked.windows[0]
    found = offers(problem=day, roster=roster, demand=asked, earliest=window.earliest, latest=window.earliest + 600)
    assert found.offers == ()
    assert [near.rule for near in found.nearest] == [rule]
    assert found.nearest[0].sentence in found.reason


def test_a_stale_offer_is_refused():
    """Two coordinators who accept into the same gap."""
    day = problem([demand("a", 9)], [worker("w")])
    roster = Roster(runs=(run_of(day, "w", ("a", 0, 9)),))
    asked = {"problem": day, "roster": roster, "earliest": 11 * HOUR, "latest": 13 * HOUR}
    first = offers(demand=demand("p", 12), **asked).offers[0]
    second = offers(demand=demand("q", 12, place=2), **asked).offers[0]
    changed = insert(roster=roster, offer=first)
    with pytest.raises(StaleOfferError):
        insert(roster=changed, offer=second)
    with pytest.raises(StaleOfferError):
        insert(roster=changed, offer=first)


def test_a_popback_that_was_unfilled_leaves_the_unfilled_list():
    """A visit both in a run and unfilled."""
    asked = demand("p", 12, place=2)
    day = problem([demand("a", 9), asked], [worker("w")])
    left = Unfilled(visit="p", slot=0, reason="left")
    roster = Roster(runs=(run_of(day, "w", ("a", 0, 9)),), unfilled=(left,))
    found = offers(problem=day, roster=roster, demand=asked, earliest=11 * HOUR, latest=13 * HOUR)
    more, after = accept(problem=day, roster=roster, offer=found.offers[0])
    assert after.unfilled == ()
    assert violations(problem=more, roster=after) == ()


def test_a_roster_with_faults_of_its_own_still_takes_a_popback():
    """A roster made by hand, faults and all, for which nothing is offered."""
    day = problem([demand("a", 9, gender="f"), demand("b", 14)], [worker("w", gender="m")])
    roster = Roster(runs=(run_of(day, "w", ("a", 0, 9), ("b", 0, 14)),))
    assert offers(problem=day, roster=roster, demand=demand("p", 12), earliest=11 * HOUR, latest=13 * HOUR).offers


def test_an_accepted_popback_stays_in_the_next_roster():
    """A promise lost when the day is rostered again."""
    day = locality_day(seed=3, visits=40, workers=10)
    roster = published(day)
    asked = demand("p", 10.5, place=day.demands[0].place)
    found = offers(problem=day, roster=roster, demand=asked, earliest=10 * HOUR, latest=11 * HOUR)
    more, _ = accept(problem=day, roster=roster, offer=found.offers[0])
    assert ("p", 0) in solve(problem=more, stop=Iterations(60), seed=2).roster.starts()


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(day=problems(), at=st.integers(7, 20), wide=st.integers(0, 3))
def test_no_offer_adds_a_violation_or_moves_a_visit_outside_its_window(day, at, wide):
    """An offer that breaks a rule of the published roster."""
    roster = published(day)
    asked = demand("p", at, customer="c0", place=0, gap_seconds=30 * MINUTE)
    found = offers(problem=day, roster=roster, demand=asked, earliest=at * HOUR, latest=(at + wide) * HOUR)
    assert found.offers or found.reason
    for offer in found.offers:
        more, after = accept(problem=day, roster=roster, offer=offer)
        assert violations(problem=more, roster=after) == ()


def handing_day():
    """Only she may serve the pop-back, and she has a visit then that anybody could do."""
    fixed = (Window(9 * HOUR, 9 * HOUR),)
    day = problem([demand("own", 9, place=2, windows=fixed)], [worker("she", gender="f"), worker("he", gender="m")])
    return day, Roster(runs=(run_of(day, "she", ("own", 0, 9)),)), demand("p", 9, gender="f", windows=fixed)


def test_a_visit_changes_hands_for_a_popback_only_when_that_is_asked_for_and_is_said():
    """A customer met by a stranger without a word, or a pop-back refused that one change makes possible."""
    day, roster, asked = handing_day()
    asks = {"problem": day, "roster": roster, "demand": asked, "earliest": 9 * HOUR, "latest": 9 * HOUR}
    assert offers(**asks).offers == ()
    (offer,) = offers(**asks, may_hand_on=True).offers
    assert offer.workers == ("she",)
    assert [(each.visit, each.was_worker, each.worker) for each in offer.handed] == [("own", "she", "he")]
    assert offer.extra_travel_seconds == 2 * 10 * MINUTE
    more, after = accept(problem=day, roster=roster, offer=offer)
    assert violations(problem=more, roster=after) == ()
    with pytest.raises(StaleOfferError):
        insert(roster=after, offer=offer)


def test_no_visit_changes_hands_when_a_free_gap_is_enough():
    """A change where none is needed."""
    day, roster, _ = handing_day()
    found = offers(
        problem=day, roster=roster, demand=demand("p", 12), earliest=11 * HOUR, latest=13 * HOUR, may_hand_on=True
    )
    assert all(offer.handed == () for offer in found.offers)


@settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
@given(day=problems(), at=st.integers(7, 20), wide=st.integers(0, 3))
def test_an_offer_that_hands_visits_on_adds_no_violation_and_loses_nobody(day, at, wide):
    """A pop-back that costs somebody else their visit, or breaks a rule of theirs."""
    roster = published(day)
    asked = demand("p", at, customer="c0", place=0)
    found = offers(
        problem=day, roster=roster, demand=asked, earliest=at * HOUR, latest=(at + wide) * HOUR, may_hand_on=True
    )
    for offer in found.offers:
        more, after = accept(problem=day, roster=roster, offer=offer)
        assert violations(problem=more, roster=after) == ()
        assert set(after.starts()) == {*roster.starts(), *(("p", slot) for slot in range(len(asked.slots)))}
        kept = {each.id for each in day.demands if each.is_pinned or each.must_keep}
        changed = {each.visit for each in (*offer.handed, *offer.moved)}
        assert not kept & changed


@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck))
@given(day=problems(), at=st.integers(7, 20), data=st.data())
def test_an_accepted_popback_is_kept_whoever_rings_in_sick(day, at, data):
    """A promise that lasts until the first sick call, though somebody could keep it."""
    roster = published(day)
    asked = demand("p", at, customer="c0", place=0)
    found = offers(problem=day, roster=roster, demand=asked, earliest=at * HOUR, latest=(at + 1) * HOUR)
    if not found.offers:
        return
    more, after = accept(problem=day, roster=roster, offer=found.offers[0])
    sick = data.draw(st.sampled_from([each.id for each in day.workers]))
    mended = replan(problem=more, published=after, sick=frozenset({sick}), stop=Iterations(3), seed=1)
    assert mended.violations == ()
    if sick not in found.offers[0].workers:
        assert mended.roster.starts()["p", 0] == after.starts()["p", 0]
