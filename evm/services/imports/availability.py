"""A care worker's weekly availability, leave and training as people write them in one cell. Not what a roster makes of them."""

import re
from datetime import date, time, timedelta
from functools import lru_cache
from typing import Final

from evm.domain.people import Shift, Training
from evm.services.imports.compare import WEEKDAYS
from evm.services.imports.fields import CellRefused, clock_time, day, skill
from evm.services.imports.layout import Layout

LEAVE_DAYS_MAX: Final = 366
_DAYS: Final = re.compile(r"([A-Za-z]{3})(?:-([A-Za-z]{3}))?")
_SHIFT: Final = re.compile(r"(?P<days>[A-Za-z,\s-]+?)\s+(?P<since>[0-9:]{4,5})-(?P<until>[0-9:]{4,5})")
NAMES: Final = {name.lower(): number for number, name in enumerate(WEEKDAYS)}


def weekdays(text: str, layout: Layout) -> frozenset[int]:
    """Days of the week, 0 (Monday) to 6: `Mon-Fri`, `Mon,Wed,Sat-Sun`, `daily`."""
    del layout
    return _weekdays(text)


@lru_cache(maxsize=1_000)
def _weekdays(text: str) -> frozenset[int]:
    """Few ways of writing days stand in most rows."""
    if text.lower() == "daily":
        return frozenset(range(7))
    found: set[int] = set()
    for part in re.split(r"[,\s]+", text.strip()):
        named = _DAYS.fullmatch(part)
        ends = [] if named is None else [NAMES.get(name.lower()) for name in named.groups() if name]
        if not ends or None in ends:
            raise CellRefused(f"{part[:40]!r} names no days of the week: write Mon-Fri, or Mon,Wed,Sat, or daily")
        first, last = ends[0] or 0, ends[-1] or 0
        found |= {(first + number) % 7 for number in range((last - first) % 7 + 1)}
    return frozenset(found)


def availability(text: str, layout: Layout) -> tuple[Shift, ...]:
    """Weekly shifts in local time: `Mon-Fri 07:00-14:00; Sat 08:00-12:00`. One past midnight begins on the day named: `Fri 22:00-07:00`.
    By weekday and beginning; two that overlap are refused."""
    del layout
    return _availability(text)


@lru_cache(maxsize=1_000)
def _availability(text: str) -> tuple[Shift, ...]:
    """Few ways of writing shifts stand in most rows."""
    found: list[Shift] = []
    for part in (part.strip() for part in text.split(";") if part.strip()):
        named = _SHIFT.fullmatch(part)
        if named is None:
            raise CellRefused(f"{part[:40]!r} is no availability: write days and times, such as Mon-Fri 07:00-14:00")
        since, until = clock_time(named["since"]), clock_time(named["until"])
        if since == until:
            raise CellRefused(f"{part[:40]!r} begins and ends at once: write when it ends")
        days = sorted(_weekdays(named["days"]))
        found += [Shift(weekday=weekday, since=since, until=until) for weekday in days]
    found.sort(key=lambda shift: (shift.weekday, shift.since))
    _refuse_overlap(found)
    return tuple(found)


def _refuse_overlap(shifts: list[Shift]) -> None:
    """Shifts as minutes of the week, the first again after the last."""
    spells = sorted((_minute(shift.weekday, shift.since), _length(shift), shift) for shift in shifts)
    week = 7 * 1_440
    for (start, length, shift), (following, _, _) in zip(spells, [*spells[1:], *spells[:1]], strict=True):
        gap = (following - start) % week or week
        if length > gap:
            raise CellRefused(f"the shift of {WEEKDAYS[shift.weekday]} {shift.since:%H:%M} runs into the next one")


def _minute(weekday: int, at: time) -> int:
    return weekday * 1_440 + at.hour * 60 + at.minute


def _length(shift: Shift) -> int:
    return (_minute(0, shift.until) - _minute(0, shift.since)) % 1_440


def leave(text: str, layout: Layout) -> tuple[date, ...]:
    """Days off, first to last: `2026-12-24; 2026-12-27..2026-12-31`, days as the layout writes them."""
    found: set[date] = set()
    for part in (part.strip() for part in text.split(";") if part.strip()):
        first, _, last = part.partition("..")
        since = day(first.strip(), layout)
        until = day(last.strip(), layout) if last else since
        if not 0 <= (until - since).days < LEAVE_DAYS_MAX:
            raise CellRefused(
                f"{part[:40]!r} is no spell of leave: at most {LEAVE_DAYS_MAX} days, the first before the last"
            )
        found |= {since + timedelta(days=number) for number in range((until - since).days + 1)}
    return tuple(sorted(found))


def training(text: str, layout: Layout) -> tuple[Training, ...]:
    """Skills with the last day on which they hold: `medication until 2027-03-31; hoist until 2026-12-31`."""
    found: dict[str, Training] = {}
    for part in (part.strip() for part in text.split(";") if part.strip()):
        name, until, last = part.partition(" until ")
        if not until:
            raise CellRefused(
                f"{part[:40]!r} has no last day: write medication until 2027-03-31, or put it under skills"
            )
        named = skill(name.strip(), layout)
        if named in found:
            raise CellRefused(f"{named!r} stands there twice: once is enough")
        found[named] = Training(skill=named, last_day=day(last.strip(), layout))
    return tuple(found[name] for name in sorted(found))
