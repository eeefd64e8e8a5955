"""Each money law, seen to fail when its rule is broken on purpose: a law that cannot fail says nothing."""

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from evm.domain.billing import judge as judging
from evm.domain.billing import price as pricing
from evm.domain.billing.charge import Charge, VisitToBill, taken_off
from evm.domain.billing.rules import actual_minutes, capped_at_planned, second_slot
from evm.domain.money import round_half_up
from tests.domain.billing import laws
from tests.domain.billing.bills import (
    agreement,
    agreements,
    attendance,
    claim,
    invoices,
    known,
    line,
    planned,
    visit,
    visits,
)

slots = st.integers(0, 1)
seconds_kept = st.just(0) | st.integers(0, 3600)


def assert_refuted(law, *strategies):
    """Hypothesis finds an example that breaks the law."""

    @settings(
        database=None,
        max_examples=1000,
        derandomize=True,
        phases=[Phase.generate],
        report_multiple_bugs=False,
        deadline=None,
    )
    @given(st.tuples(*strategies))
    def holds(example):
        law(*example)

    with pytest.raises(AssertionError):
        holds()


def break_rule(monkeypatch, rule, charges):
    """One rule of the tariff charges something else."""
    monkeypatch.setitem(pricing.RULE_BY_NAME, rule.NAME, replace(rule.RULE, charges=charges))


def test_a_lost_penny_is_found(monkeypatch):
    """lines_add_up fails when a line settles for a penny less than was claimed."""
    settle = judging._settle

    def short(case, ruling):
        shaved = replace(case, line=replace(case.line, pence_claimed=max(0, case.line.pence_claimed - 1)))
        return settle(shaved, ruling)

    monkeypatch.setattr(judging, "_settle", short)
    assert_refuted(lambda made: laws.lines_add_up(*made), invoices())


def test_charges_rounded_one_by_one_are_found(monkeypatch):
    """charges_add_up fails when every charge is rounded by itself."""
    monkeypatch.setattr(
        pricing, "charge_pence", lambda charges: tuple(round_half_up(charge.amount_pence) for charge in charges)
    )
    assert_refuted(lambda made, deal: laws.charges_add_up(VisitToBill(visit=made[1]), deal), visits(), agreements())


def test_a_minute_above_the_evidence_is_found(monkeypatch):
    """never_above_evidence fails when begun minutes are billed as whole ones."""

    def begun_minutes(bill, deal):
        return tuple(
            Charge(
                slot=slot,
                minutes=-(-there.payable_seconds // 60),
                amount_pence=-(-there.payable_seconds // 60) * deal.rate_pence_per_minute,
                rule="actual_minutes",
                words="",
            )
            for slot, there in bill.attended()
        )

    break_rule(monkeypatch, actual_minutes, begun_minutes)
    assert_refuted(
        lambda made, deal: laws.never_above_evidence(VisitToBill(visit=made[1]), deal), visits(), agreements()
    )


def test_a_slot_paid_twice_is_found(monkeypatch):
    """no_second_twice fails when a slot claimed on two lines pays both."""
    monkeypatch.setattr(judging._Bench, "_once", lambda self, case: None)
    monkeypatch.setattr(judging._Bench, "_fresh", lambda self, case: None)
    assert_refuted(lambda made: laws.no_second_twice(*made), invoices())


def test_an_attendance_paid_under_two_visits_is_found(monkeypatch):
    """no_second_twice fails when one attendance was matched to two visits and pays under both."""
    shared = attendance()
    plans = (planned(visit_id="visit-1"), planned(visit_id="visit-2"))
    facts = known(*[visit(shared, of=plan) for plan in plans], plans=plans)
    twice = claim(line(line_no=1, visit_id="visit-1"), line(line_no=2, visit_id="visit-2"))
    laws.no_second_twice(twice, facts)
    monkeypatch.setattr(judging._Bench, "_fresh", lambda self, case: None)
    with pytest.raises(AssertionError):
        laws.no_second_twice(twice, facts)


def test_a_line_that_gains_by_losing_evidence_is_found(monkeypatch):
    """less_evidence_never_raises fails when a visit is paid more the shorter it was."""

    def topped_up(bill, deal):
        plan = bill.visit.planned_minutes
        return tuple(
            taken_off(slot=slot, minutes=2 * (there.minutes - plan), agreement=deal, rule="capped_at_planned", words="")
            for slot, there in bill.attended()
            if 0 < there.minutes < plan
        )

    break_rule(monkeypatch, capped_at_planned, topped_up)
    assert_refuted(
        lambda made, deal, slot, seconds: laws.less_evidence_never_raises(made[1], deal, slot=slot, seconds=seconds),
        visits(),
        agreements(rules=("actual_minutes", "capped_at_planned")),
        slots,
        seconds_kept,
    )


def test_a_visit_that_gains_by_losing_evidence_is_found(monkeypatch):
    """less_evidence_never_raises_the_visit fails when the first slot, not the longest, counts as the first worker."""

    def first_by_number(bill, deal):
        charged = sorted({charge.slot for charge in bill.so_far})
        together = bill.visit.overlap_seconds // 60
        return tuple(
            taken_off(
                slot=slot, minutes=bill.minutes_so_far(slot) - together, agreement=deal, rule="second_slot", words=""
            )
            for slot in charged[1:]
            if bill.minutes_so_far(slot) > together
        )

    break_rule(monkeypatch, second_slot, first_by_number)
    assert_refuted(
        lambda made, deal, slot, seconds: laws.less_evidence_never_raises_the_visit(
            made[1], deal, slot=slot, seconds=seconds
        ),
        visits(),
        agreements(),
        slots,
        seconds_kept,
    )


def test_a_verdict_that_follows_the_order_of_rows_is_found(monkeypatch):
    """replay_gives_the_same fails when whichever line came first keeps the slot."""

    def in_the_order_given(*, claim, known):
        bench = judging._Bench(claim, known)
        verdicts = sorted((bench.verdict(each) for each in claim.lines), key=lambda verdict: verdict.line_no)
        return judging.Judgement(verdicts=tuple(verdicts), charges=bench.charges)

    monkeypatch.setattr(judging, "judge", in_the_order_given)
    assert_refuted(lambda made: laws.replay_gives_the_same(*made), invoices())


def test_money_through_floats_is_found():
    """A rate held as a binary float gives other pennies than the exact one: why there are none."""
    exact = agreement(rate_pence_per_minute=Fraction(115, 100))
    assert round_half_up(30 * exact.rate_pence_per_minute) == 35
    assert round(30 * 1.15) == 34
