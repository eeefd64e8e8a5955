"""What each soft wish of a problem costs; it counts none of them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Weights:
    """Cost of one unit of each soft wish, in points; all whole and not negative.

    `idle_worst` weighs the largest idle time of any worker's shift (before leaving, waiting, after coming back: the
    whole shift of one who stays at home), `waiting_worst` the largest single wait, and `balance` the sum over workers
    of |care and travel - their mean|, rounded up worker by worker. `stranger` is the cost of each worker-visit that is
    not by one of the customer's three commonest workers, unfilled ones among them.
    """

    travel: int = 1
    waiting: int = 0
    off_preferred: int = 0
    lateness: int = 0
    lateness_worst: int = 0
    not_preferred: int = 600
    changed: int = 900
    unfilled: int = 100_000
    waiting_worst: int = 0
    overtime: int = 0
    idle_worst: int = 0
    incompatible: int = 0
    balance: int = 0
    stranger: int = 0
