"""A week within a time, in processes: valid however early it ends, and nothing left running."""

from __future__ import annotations

import multiprocessing

from rostering.verify import violations
from rostering.week_rounds import days_alone, roster_week
from simulations.bench.roster_locality import locality

SMALL = locality(workers=7, visits=12, days=7, seed=4)


def test_a_week_in_two_processes_is_verified_and_its_days_can_be_measured_alone():
    """Days lost between processes, or a first plan that is not told apart from the last."""
    steps = []
    found = roster_week(problem=SMALL, seconds=9, seed=1, progress=steps.append)
    assert violations(problem=SMALL, roster=found.result.roster) == ()
    filled, unfilled = len(found.result.roster.starts()), len(found.result.roster.unfilled)
    assert filled + unfilled == sum(len(demand.slots) for demand in SMALL.demands)
    assert {step.day for step in steps if step.round == "first"} == set(range(7))
    assert found.first_seconds > 0
    assert unfilled <= found.first_unfilled
    assert found.result.lower_bound <= found.result.objective
    alone = days_alone(problem=SMALL, seconds=dict.fromkeys(range(7), 0.2), seed=1)
    assert violations(problem=SMALL, roster=alone) == ()
    assert not multiprocessing.active_children()


def test_a_week_that_is_ended_at_once_is_whole_and_leaves_no_process():
    """Ctrl-C that loses the days not yet searched, or a child that searches on."""
    found = roster_week(problem=SMALL, seconds=600, seed=1, asked=lambda: True)
    assert violations(problem=SMALL, roster=found.result.roster) == ()
    slots = sum(len(demand.slots) for demand in SMALL.demands)
    assert len(found.result.roster.starts()) + len(found.result.roster.unfilled) == slots
    assert not multiprocessing.active_children()
