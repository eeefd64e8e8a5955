"""What differs between a record and what a file says of it, in words for the preview. Not the writing of it."""

from collections.abc import Collection, Sequence
from dataclasses import fields
from datetime import date, time
from enum import Enum
from typing import Any, Final

from evm.domain.people import Shift, Training
from evm.domain.place import Home
from evm.services.imports.csv_file import RowError
from evm.services.imports.kind import Taken

SHOWN_MAX: Final = 60
WEEKDAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


def differences(before: Any, after: Any) -> str:
    """The fields in which two dataclasses of one kind differ: `name: Ann → Anne; phone: none → +441134960000`. Empty when equal."""
    changed = [
        f"{each.name}: {shown(getattr(before, each.name))} → {shown(getattr(after, each.name))}"
        for each in fields(before)
        if getattr(before, each.name) != getattr(after, each.name)
    ]
    return "; ".join(changed)


def settled(before: Any, after: Any, *, row: int, subject: str, name: str, errors: tuple[RowError, ...]) -> Taken:
    """What becomes of a row whose record was `before` (None: not there) and is `after`: new by its `name`, the same, or changed and how."""
    if before is None:
        return Taken(row=row, outcome="new", subject=subject, words=name, errors=errors)
    words = differences(before, after)
    return Taken(row=row, outcome="changed" if words else "same", subject=subject, words=words, errors=errors)


def shown(value: Any) -> str:
    """A value as a person reads it, cut where it is long."""
    text = _words(value)
    return text if len(text) <= SHOWN_MAX else text[: SHOWN_MAX - 1] + "…"


def _words(value: Any) -> str:  # noqa: PLR0911 -- one line a kind of value
    if value is None or value == "":
        return "none"
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Home):
        return f"{value.latitude:.5f} {value.longitude:.5f} within {value.radius_m:g} m"
    if isinstance(value, Shift):
        return f"{WEEKDAYS[value.weekday]} {value.since:%H:%M}-{value.until:%H:%M}"
    if isinstance(value, Training):
        return f"{value.skill} until {value.last_day}"
    if isinstance(value, time):
        return f"{value:%H:%M}"
    if isinstance(value, date | str | int | float):
        return str(value)
    if isinstance(value, Sequence):
        return _several(value)
    if isinstance(value, Collection):
        return _several(sorted(value))
    return str(value)


def _several(values: Collection[Any]) -> str:
    return ", ".join(_words(value) for value in values) or "none"
