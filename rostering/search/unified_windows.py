"""Kernel of the unified search: how late a start is in a visit's windows, and when it is better to wait for the next."""

from __future__ import annotations

from rostering.search.kernel.jit import folded
from rostering.search.unified_rows import JUDGED, LATE_CAP, SPANS, W_LATE, W_WAITING, WINDOWS, Tables


@folded
def lateness(tables: Tables, t: int, start: int) -> tuple[int, int]:
    """(seconds late, where the window that counts stands) of a start: the last window that opens at or before it."""
    spans = tables.rows[16 * t + SPANS]
    end = spans + 2 * tables.rows[16 * t + WINDOWS] - 2
    while spans < end and tables.numbers[spans + 2] <= start:
        spans += 2
    return max(0, start + tables.rows[16 * t + JUDGED] - tables.numbers[spans + 1]), spans


@folded
def legal(tables: Tables, t: int, start: int) -> int:
    """`start`, or the opening of the next window when waiting for it costs less than being late for this one."""
    late, spans = lateness(tables, t, start)
    end = tables.rows[16 * t + SPANS] + 2 * tables.rows[16 * t + WINDOWS] - 2
    while late > 0 and spans < end:
        opening = tables.numbers[spans + 2]
        later = max(0, opening + tables.rows[16 * t + JUDGED] - tables.numbers[spans + 3])
        waits = tables.numbers[W_WAITING] * (opening - start)
        if late <= tables.rows[16 * t + LATE_CAP] and tables.numbers[W_LATE] * (late - later) <= waits:
            return start
        start, late, spans = opening, later, spans + 2
    return start
