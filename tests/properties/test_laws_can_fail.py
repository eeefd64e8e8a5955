"""Each law is seen to fail when its rule is broken on purpose: a law that cannot fail proves nothing."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import Phase

from evm.domain import attendances, matching, period, reconcile
from tests.properties import laws


@pytest.fixture(autouse=True)
def _any_failure_will_do(monkeypatch):
    monkeypatch.setattr(laws, "PHASES", (Phase.generate,))


def _fails(law):
    with pytest.raises((AssertionError, BaseExceptionGroup)):
        law()


def test_subtracting_local_times_breaks_the_law_of_clock_changes(monkeypatch):
    """Broken on purpose: 25 Oct 00:45 -> 02:15 reads 90 minutes and is 150."""

    def local(start, end):
        return round((end.replace(tzinfo=None) - start.replace(tzinfo=None)).total_seconds())

    monkeypatch.setattr(period, "seconds_between", local)
    _fails(laws.clock_changes_are_plain_utc)


def test_taking_the_first_reading_silently_breaks_the_law_of_clock_changes(monkeypatch):
    """Broken on purpose: the gap and the repeated hour pass for ordinary time."""
    original = period._readings
    monkeypatch.setattr(period, "_readings", lambda wall, zone: (original(wall, zone)[0],) * 2)
    _fails(laws.clock_changes_are_plain_utc)


def test_keeping_whichever_body_came_first_breaks_the_law_of_order(monkeypatch):
    """Broken on purpose: of conflicting events the first to arrive counts."""

    def first_come(evidence):
        found = {}
        for event in evidence:
            found.setdefault(event.event_id, event)
        return list(found.values())

    monkeypatch.setattr(reconcile, "distinct", first_come)
    _fails(laws.order_and_repetition_do_not_matter)


def test_counting_repeated_events_breaks_the_law_of_repetition(monkeypatch):
    """Broken on purpose: no deduplication."""
    monkeypatch.setattr(reconcile, "distinct", list)
    _fails(laws.order_and_repetition_do_not_matter)


def test_times_of_day_instead_of_instants_break_the_law_of_another_day(monkeypatch):
    """Broken on purpose: seconds are counted within a day and a bit."""
    monkeypatch.setattr(reconcile, "_epoch", lambda instant: int(instant.timestamp()) % (86_400 + 7_000))
    _fails(laws.another_day_is_the_same_day)


def test_mixing_customers_breaks_the_law_of_strangers(monkeypatch):
    """Broken on purpose: evidence is matched by time, whoever the customer is."""
    original = reconcile._files

    def mixed(wanted, plan, stays, events, absences):
        files = original(wanted, plan, stays, events, absences)
        for file in files:
            file.stays = list(stays)
        return files

    monkeypatch.setattr(reconcile, "_files", mixed)
    _fails(laws.strangers_do_not_matter)


def test_guessing_forgotten_check_outs_breaks_the_law_of_less_evidence(monkeypatch):
    """Broken on purpose: an open stay pays an hour."""
    original = attendances._stay

    def generous(*arguments):
        stay = original(*arguments)
        return stay if stay.end else replace(stay, payable_seconds=3600)

    monkeypatch.setattr(attendances, "_stay", generous)
    _fails(laws.less_evidence_never_adds_minutes)


def test_not_capping_overlaps_breaks_the_law_of_single_seconds(monkeypatch):
    """Broken on purpose: two stays of one worker at one time are both paid."""
    monkeypatch.setattr(attendances, "_overlapping", lambda stay, *_: stay)
    _fails(laws.no_second_is_counted_twice)


def test_a_worker_in_two_slots_breaks_the_law_of_stays(monkeypatch):
    """Broken on purpose: one worker coming twice fills a double-up."""
    monkeypatch.setattr(matching._Room, "holds", lambda *_: False)
    _fails(laws.every_stay_is_kept_once)


def test_greedy_matching_breaks_the_law_of_the_slow_matcher(monkeypatch):
    """Broken on purpose: each check-in takes the nearest visit."""

    def greedy(_visits, rest, pairs, weights, room):
        chosen = []
        for _, (visit, stay) in sorted(zip(weights, pairs, strict=True)):
            visits, stays = [pair[0] for pair in chosen], [pair[1] for pair in chosen]
            same = any(rest[other].worker == rest[stay].worker for at, other in chosen if at == visit)
            if stay not in stays and visits.count(visit) < room.left(visit) and not same:
                chosen.append((visit, stay))
        return chosen

    monkeypatch.setattr(
        matching, "_cheapest", lambda rest, pairs, weights, room: greedy(None, rest, pairs, weights, room)
    )
    _fails(laws.matching_is_the_slow_one)


@pytest.mark.parametrize("forgotten", ["distance", "rostered", "ties"])
def test_leaving_out_a_criterion_breaks_the_law_of_the_slow_matcher(monkeypatch, forgotten):
    """Broken on purpose: the sum of seconds, the rostered worker or the order of ties does not count."""

    def weights(visits, rest, pairs):
        found = []
        for order, (visit, stay) in enumerate(pairs):
            distance = 0 if forgotten == "distance" else abs(rest[stay].at - visits[visit].start)
            rostered = 0 if forgotten == "rostered" else int(rest[stay].worker in visits[visit].rostered)
            tie = 0 if forgotten == "ties" else 1 << (len(pairs) - 1 - order)
            unit = 1 << (len(pairs) + 4)
            found.append(-(10**9) * unit + distance * unit - rostered * (unit >> 4) - tie)
        return found

    monkeypatch.setattr(matching, "_weights", weights)
    _fails(laws.matching_is_the_slow_one)


def test_an_hour_too_many_breaks_the_law_of_clock_changes(monkeypatch):
    """Broken on purpose: lengths are added to the wall clock, not to the instant."""

    def by_the_wall(**said):
        start = period.to_utc(day=said["day"], at=said["at"], zone=said["zone"], offset_minutes=said["offset_minutes"])
        return period.in_zone(start, zone=said["zone"]) + timedelta(minutes=said["minutes"])

    monkeypatch.setattr(period, "local_end", by_the_wall)
    _fails(laws.clock_changes_are_plain_utc)
