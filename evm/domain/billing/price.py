"""Prices one visit under one agreement: its rules in its order, then one rounding a slot. Not whether the price is paid (invoice.py)."""

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from typing import Final

from evm.domain.billing.agreement import Agreement
from evm.domain.billing.charge import Charge, Rule, VisitToBill
from evm.domain.billing.rules import RULES
from evm.domain.money import round_half_up

RULE_BY_NAME: Final[dict[str, Rule]] = {rule.name: rule for rule in RULES}


def price(*, visit: VisitToBill, agreement: Agreement) -> tuple[Charge, ...]:
    """Every charge for a visit, in the order the agreement's rules made them. KeyError: an agreement that terms.py never checked."""
    for name in agreement.rules:
        found = RULE_BY_NAME[name].charges(visit, agreement)
        if found:
            visit = replace(visit, so_far=visit.so_far + found)
    return visit.so_far


def slot_minutes(charges: Sequence[Charge], *, slot: int) -> int:
    """The minutes that stay charged on one slot."""
    return sum(charge.minutes for charge in charges if charge.slot == slot)


def slot_pence(charges: Sequence[Charge], *, slot: int) -> int:
    """The slot's money: the exact sum of its charges, rounded once, half up (rules.md: per line)."""
    amounts = [charge.amount_pence for charge in charges if charge.slot == slot]
    return round_half_up(sum(amounts[1:], start=amounts[0])) if amounts else 0


def charge_pence(charges: Sequence[Charge]) -> tuple[int, ...]:
    """Whole pence for each charge, such that the charges of a slot add up to `slot_pence` exactly: each is the rounded running sum
    less the one before it."""
    running: dict[int, Fraction] = {}
    parts = []
    for charge in charges:
        before = running.get(charge.slot, Fraction())
        running[charge.slot] = before + charge.amount_pence
        parts.append(round_half_up(running[charge.slot]) - round_half_up(before))
    return tuple(parts)
