"""The simulated locality and its truth: pure, seeded, calibrated, and judged by nobody else's code."""

import ast
from collections import Counter, defaultdict
from dataclasses import replace
from datetime import timedelta
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest

import simulations
from simulations.days import HONEST_LATE_SECONDS_MAX, visit_id, worker_day_lateness
from simulations.geography import Point, great_circle_m, journey_seconds, outward_codes
from simulations.history import event_uuid, history_rows
from simulations.popbacks import wishes
from simulations.scenario import load_scenario
from simulations.truth import evidenced_minutes, missed_deadline, pays, pence_of, record
from simulations.world import build_world

SEEDS = (1, 7)


@pytest.fixture(scope="module", params=SEEDS)
def truth(request):
    return record(build_world(scenario=load_scenario(), seed=request.param))


def test_the_same_seed_gives_the_same_truth(truth):
    """Broken: anything drawn from set order, the clock or a shared random source."""
    again = record(build_world(scenario=load_scenario(), seed=truth.world.seed))
    assert again.happenings == truth.happenings
    assert again.claims() == truth.claims()
    assert wishes(again) == wishes(truth)


def test_another_seed_gives_another_truth():
    """Broken: a seed that is not used."""
    one, other = (record(build_world(scenario=load_scenario(), seed=seed)) for seed in SEEDS)
    assert one.happenings.stays != other.happenings.stays


def test_the_locality_has_the_size_the_demo_promises(truth):
    """Broken: a scenario that shrank below the bars (≈ 60 workers, ≈ 600 visits, ≥ 500 planned)."""
    assert 55 <= len(truth.world.workers) <= 70
    assert 550 <= len(truth.played) <= 650


def test_visit_lengths_follow_the_survey(truth):
    """Broken: lengths drifting from the 2012 survey (to 15 min 10 %, to 30 63 %, to 45 11 %, to 60 10 %, over 6 %)."""
    counts = Counter()
    for call in truth.played:
        counts[next(top for top in (15, 30, 45, 60, 999) if call.minutes <= top)] += 1
    shares = {top: count / len(truth.played) for top, count in counts.items()}
    for top, share in {15: 0.10, 30: 0.63, 45: 0.11, 60: 0.10, 999: 0.06}.items():
        assert shares[top] == pytest.approx(share, abs=0.06)


def test_lateness_and_short_visits_follow_the_freedom_of_information_set(truth):
    """Broken: rates drifting from one in ten over half an hour late and 7 % under 15 minutes."""
    stays = truth.happenings.stays
    late = sum(stay.arrived - stay.call.start > timedelta(minutes=30) for stay in stays) / len(stays)
    short = sum(stay.seconds < 900 for stay in stays) / len(stays)
    assert 0.07 <= late <= 0.12
    assert 0.05 <= short <= 0.11


def test_double_ups_are_five_to_ten_percent_of_visits(truth):
    """Broken: a locality without the visits that need two workers, the hardest part of a roster."""
    assert 0.05 <= sum(len(call.workers) == 2 for call in truth.played) / len(truth.played) <= 0.10


def test_the_played_day_has_every_story_the_bars_count(truth):
    """Broken: a day on which a bar would be met because nothing happened."""
    assert len(truth.missed_true) >= 5
    assert len(truth.unlogged) >= 5
    assert len(truth.visits_offline()) >= 10
    assert len(truth.cramming_workers) >= 3
    assert len(truth.cramming_roster_days()) >= 3
    assert len(wishes(truth)) >= 10


def test_no_worker_day_is_on_the_edge_of_the_fifteen_minute_rule(truth):
    """Broken: a roster truth that a rounding could turn round."""
    late = worker_day_lateness(truth.happenings.calls, truth.world)
    crammed = truth.cramming_roster_days()
    honest = [seconds for key, seconds in late.items() if key not in crammed]
    assert max(honest) <= HONEST_LATE_SECONDS_MAX


def test_nobody_is_in_two_places_and_nobody_travels_faster_than_the_policy(truth):
    """Broken: honest journeys that the system must call impossible."""
    homes = {one.customer_id: one.home for one in truth.world.customers}
    modes = {one.worker_id: one.mode for one in truth.world.workers}
    by_worker = defaultdict(list)
    for stay in truth.happenings.stays:
        by_worker[stay.worker].append(stay)
    for worker, stays in by_worker.items():
        for before, after in pairwise(stays):
            here, there = homes[before.call.customer_id], homes[after.call.customer_id]
            needed = journey_seconds(here, there, modes[worker])
            assert (after.arrived - before.left).total_seconds() >= needed


def test_minutes_expected_counts_only_stays_opened_and_closed(truth):
    """Broken: minutes for a forgotten check-out or an unlogged visit."""
    stays = truth.happenings.stays
    by_hand = 0
    for stay in stays:
        if stay.logged and stay.check_out_logged:
            by_hand += int((stay.left - stay.arrived).total_seconds()) // 60
    assert truth.minutes_expected() == by_hand
    assert any(not stay.check_out_logged and stay.logged for stay in stays)
    assert all(evidenced_minutes(stay) == 0 for stay in stays if not stay.logged)


def test_no_claim_is_payable_above_its_claim_its_evidence_or_its_plan(truth):
    """Broken: an expected invoice that pays inflation, ungraded minutes or cancelled visits."""
    stays = {(stay.call.visit_id, stay.slot): stay for stay in truth.happenings.stays}
    calls = {call.visit_id: call for call in truth.happenings.calls}
    rate = truth.world.scenario.invoice.pence_per_minute
    for line in truth.claims():
        stay = stays.get((line.visit_id, line.slot))
        assert line.payable_pence <= line.pence
        if line.payable_pence:
            assert pays(stay)
            assert calls[line.visit_id].cancelled_at is None
            minutes = min(evidenced_minutes(stay), calls[line.visit_id].minutes)
            assert line.payable_pence <= pence_of(minutes, rate)


def test_every_kind_of_wrong_line_is_claimed(truth):
    """Broken: an invoice on which reduce, withhold or disallow would have nothing to do."""
    lines = truth.claims()
    cancelled = {call.visit_id for call in truth.happenings.calls if call.cancelled_at is not None}
    slots = Counter((line.visit_id, line.slot) for line in lines)
    assert any(0 < line.payable_pence < line.pence for line in lines)
    assert any(line.payable_pence == 0 and line.visit_id not in cancelled for line in lines)
    assert any(line.visit_id in cancelled for line in lines)
    assert max(slots.values()) == 2


@pytest.mark.parametrize(
    ("minutes", "rate", "pence"), [(1, "112/3", 37), (2, "112/3", 75), (3, "112/3", 112), (1, "1/2", 1)]
)
def test_pence_round_half_up_once_per_line(minutes, rate, pence):
    """Broken: floats, rounding down, or banker's rounding."""
    assert pence_of(minutes, rate) == pence
    assert abs(Fraction(pence) - minutes * Fraction(rate)) <= Fraction(1, 2)


def test_a_missed_deadline_is_never_after_the_customers_next_call(truth):
    """Broken: silence that is noticed only when the next visit is due."""
    for call in truth.played:
        assert call.next_start is None or missed_deadline(call) <= call.next_start


def test_popbacks_are_asked_a_day_ahead_and_apart_from_the_usual_calls(truth):
    """Broken: a wish without notice, or one that is no visit outside the usual arrangement."""
    for wish in wishes(truth):
        assert wish.wanted_at - wish.asked_at >= timedelta(hours=24)
        own = [call for call in truth.happenings.calls if call.customer_id == wish.customer_id]
        assert all(call.start.time() != wish.wanted_at.time() for call in own)


def test_history_tells_nothing_of_the_played_day_and_nothing_twice(truth):
    """Broken: evidence of the day that is to be played, or an id used for two events."""
    rows = history_rows(truth)
    played = truth.world.scenario.played_day
    assert all(event.at.date() < played for event in rows.evidence)
    assert len({event.event_id for event in rows.evidence}) == len(rows.evidence) == len(rows.payloads)


def test_event_ids_are_version_seven_and_stable():
    """Broken: ids that change from run to run, or sort against their time."""
    at = load_scenario().played_day
    from datetime import UTC, datetime

    instant = datetime(at.year, at.month, at.day, tzinfo=UTC)
    one, later = event_uuid(instant, "a"), event_uuid(instant + timedelta(seconds=1), "a")
    assert one == event_uuid(instant, "a") != event_uuid(instant, "b")
    assert one[14] == "7"
    assert one[19] in "89ab"
    assert one < later


def test_visit_ids_are_those_of_the_product():
    """Broken: a truth whose visits have other names than the plan's."""
    day = load_scenario().played_day
    assert visit_id(customer_id="c-001", slot_name="bed", day=day) == visit_id(
        customer_id="c-001", slot_name="bed", day=day
    )
    assert len(visit_id(customer_id="c-001", slot_name="bed", day=day)) == 25


def test_the_simulations_own_distance_agrees_with_geopy():
    """Broken: a slip in the simulation's own great circle."""
    from geopy.distance import great_circle

    a, b = Point(53.5088, -2.23827), Point(53.48455, -2.22909)
    theirs = great_circle((a.latitude, a.longitude), (b.latitude, b.longitude)).meters
    assert great_circle_m(a, b) == pytest.approx(theirs, rel=1e-9)


def test_the_city_has_eight_localities():
    """Broken: a geography that lost a locality of the city."""
    assert len({code.locality for code in outward_codes("manchester")}) == 8


def test_a_scenario_with_a_missing_or_unknown_rate_is_refused(monkeypatch):
    """Broken: a mistyped rate that silently keeps a default."""
    from simulations import scenario

    with pytest.raises(ValueError, match="honest: these keys are missing or unknown"):
        scenario._checked("honest", scenario.HonestRates, {"length_mean": 1.0})


def test_the_truth_and_all_it_rests_on_share_no_code_with_what_they_judge():
    """Broken: truth that repeats the system's own mistakes."""
    folder = Path(simulations.__file__).parent
    waiting, seen = ["truth", "popbacks"], set()
    while waiting:
        name = waiting.pop()
        seen.add(name)
        path = folder / f"{name}.py" if (folder / f"{name}.py").exists() else folder / name / "__init__.py"
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            modules = [node.module] if isinstance(node, ast.ImportFrom) and node.module else []
            modules += [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            for module in modules:
                assert module.split(".")[0] not in {"evm", "devices", "rostering", "api"}, f"{name} imports {module}"
                if module.startswith("simulations.") and module.split(".")[1] not in seen:
                    waiting.append(module.split(".")[1])
    assert {"behaviour", "days", "world", "people", "geography", "scenario"} <= seen


def test_a_worker_day_on_the_edge_is_refused_rather_than_judged(monkeypatch):
    """Broken: a scenario change that quietly makes roster truth a matter of seconds."""
    from simulations import days

    world = build_world(scenario=load_scenario(), seed=1)
    calls = tuple(replace(call, minutes=call.minutes + 14) for call in world.calls)
    with pytest.raises(ValueError, match="too near the edge"):
        days.dated_calls(replace(world, calls=calls))


def test_a_phone_switched_off_and_on_without_signal_waits_for_a_person(truth):
    """Broken: a played day on which the server grades every event A, whatever it makes of a clock that nothing bounds."""
    played = truth.world.scenario.played_day
    (spell,) = [spell for spell in truth.happenings.spells if spell.day == played and spell.doubtful]
    stays = [stay for stay in truth.stays_on(played) if stay.worker == spell.worker]
    offline = [stay for stay in stays if stay.heard_at is not None]
    assert offline
    assert all(stay.heard_at == spell.until and not pays(stay) for stay in offline)
    fresh = spell.until - timedelta(minutes=2)
    assert not [at for stay in stays for at in (stay.arrived, stay.left) if fresh <= at <= spell.until]
