"""Money: integer pence at rest, exact fractions in between, one named rounding. Not rates and not rules (billing)."""

import re
from collections.abc import Sequence
from fractions import Fraction
from functools import lru_cache
from typing import Final

FRACTION_SIGNS: Final = {
    Fraction(1, 3): "⅓",
    Fraction(2, 3): "⅔",
    Fraction(1, 6): "⅙",
    Fraction(5, 6): "⅚",
    Fraction(1, 7): "⅐",
    Fraction(1, 9): "⅑",
}
NUMBER_PATTERN: Final = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9}|/[1-9][0-9]{0,8})?")


def round_half_up(amount_pence: Fraction) -> int:
    """Whole pence, halves away from zero, so that a credit undoes exactly the charge it reverses."""
    sign = -1 if amount_pence < 0 else 1
    top, bottom = abs(amount_pence.numerator), amount_pence.denominator
    return sign * ((2 * top + bottom) // (2 * bottom))


def apportion(*, total_pence: int, weights: Sequence[Fraction | int]) -> tuple[int, ...]:
    """Split `total_pence` over `weights` by largest remainder: the parts add up to it exactly; ties go to the earlier part.

    Weights are non-negative and not all nought, else ValueError. A negative total is split like its opposite."""
    whole = sum((Fraction(weight) for weight in weights), start=Fraction())
    if whole <= 0 or any(weight < 0 for weight in weights):
        raise ValueError("weights must be non-negative and not all nought")
    shares = [abs(total_pence) * Fraction(weight) / whole for weight in weights]
    parts = [share.numerator // share.denominator for share in shares]
    by_remainder = sorted(range(len(parts)), key=lambda part: (parts[part] - shares[part], part))
    for part in by_remainder[: abs(total_pence) - sum(parts)]:
        parts[part] += 1
    return tuple(part if total_pence >= 0 else -part for part in parts)


def pounds(amount_pence: int) -> str:
    """The amount as people read it: `£1,234.05`, `-£0.50`."""
    sign = "-" if amount_pence < 0 else ""
    return f"{sign}£{abs(amount_pence) // 100:,}.{abs(amount_pence) % 100:02d}"


@lru_cache(maxsize=256)
def pence_words(amount_pence: Fraction) -> str:
    """A rate or part of a penny as people read it, exactly: `45p`, `45.5p`, and `37⅓p` or `37 7/12p` where no short decimal is exact."""
    thousandths = amount_pence * 1000
    sign = "-" if amount_pence < 0 else ""
    if thousandths.denominator != 1:
        return f"{sign}{_mixed(abs(amount_pence))}p"
    whole, rest = divmod(abs(thousandths.numerator), 1000)
    decimals = f"{rest:03d}".rstrip("0")
    return f"{sign}{whole}.{decimals}p" if decimals else f"{sign}{whole}p"


def _mixed(amount: Fraction) -> str:
    """Whole part and proper fraction: `37⅓`, `37 7/12`, `7/12`."""
    whole, rest = divmod(amount, 1)
    written = FRACTION_SIGNS.get(rest, f" {rest}" if whole else str(rest))
    return f"{whole}{written}" if whole else written


def exact_number(text: str) -> Fraction:
    """The exact value of `45`, `45.5` or `91/2`. Anything else (signs, exponents, commas, units) is a ValueError."""
    if NUMBER_PATTERN.fullmatch(text) is None:
        raise ValueError(f"{text[:40]!r} is not a plain number such as 45, 45.5 or 91/2")
    return Fraction(text)
