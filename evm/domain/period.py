"""Half-open periods, care days and the way from local wall-clock times to instants. Not a calendar of visits (occurrences.py).

Instants are aware UTC; only they are ever subtracted. Local times exist at the edge of this module and nowhere behind it
(style.md: 25 Oct 00:45 → 02:15 reads 90 minutes and is 150)."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, timezone
from functools import lru_cache
from zoneinfo import ZoneInfo


class NonexistentLocalTime(ValueError):  # noqa: N818 -- named for what is wrong
    """The clocks jump over this local time. `choices` are the two instants it may have meant: read with the offset before the
    change (which lands after the gap) and with the offset after it (which lands before the gap)."""

    def __init__(self, *, local: datetime, zone: str, choices: tuple[datetime, datetime]) -> None:
        self.local = local
        self.choices = choices
        later, earlier = (in_zone(choice, zone=zone).strftime("%H:%M") for choice in choices)
        super().__init__(
            f"{local:%H:%M} on {local:%d %B %Y} does not exist in {zone}: the clocks go forward. Say {earlier} or {later}."
        )


class AmbiguousLocalTime(ValueError):  # noqa: N818 -- named for what is wrong
    """The clocks go back and this local time comes twice: an offset is required. `offsets_minutes` are the two that are possible."""

    def __init__(self, *, local: datetime, zone: str, offsets_minutes: tuple[int, int]) -> None:
        self.local = local
        self.offsets_minutes = offsets_minutes
        super().__init__(
            f"{local:%H:%M} on {local:%d %B %Y} comes twice in {zone}: give the UTC offset, {offsets_minutes[0]} or "
            f"{offsets_minutes[1]} minutes."
        )


class UnknownZone(ValueError):  # noqa: N818 -- named for what is wrong
    """Not a zone of the tz database by region and city ("BST" and "GMT+1" name offsets, not zones)."""


@lru_cache(maxsize=64)
def zone_of(name: str) -> ZoneInfo:
    """The zone called `name`, "Europe/London" for instance. Raises `UnknownZone` for abbreviations and unknown names."""
    try:
        if "/" not in name:
            raise UnknownZone(f"{name!r} is not a zone: name it by region and city, such as Europe/London.")
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError) as error:
        raise UnknownZone(f"{name!r} is not a zone: name it by region and city, such as Europe/London.") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """`[start, end)` in aware UTC; `end` is never before `start`."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start.utcoffset() is None or self.end.utcoffset() is None:
            raise ValueError("A period is between two aware instants.")
        if self.end < self.start:
            raise ValueError("A period ends no earlier than it starts.")

    @property
    def seconds(self) -> int:
        """Elapsed whole seconds."""
        return seconds_between(self.start, self.end)

    def __contains__(self, instant: datetime) -> bool:
        return self.start <= instant < self.end

    def shared_seconds(self, other: "Period") -> int:
        """Seconds that lie in both periods."""
        return max(0, seconds_between(max(self.start, other.start), min(self.end, other.end)))


def seconds_between(start: datetime, end: datetime) -> int:
    """Elapsed whole seconds from `start` to `end`, both aware (negative when `end` is first)."""
    assert start.tzinfo is not None
    assert end.tzinfo is not None
    if start.tzinfo is not UTC or end.tzinfo is not UTC:
        start, end = start.astimezone(UTC), end.astimezone(UTC)
    elapsed = end - start
    return elapsed.days * 86400 + elapsed.seconds


def in_zone(instant: datetime, *, zone: str) -> datetime:
    """The same instant, read on the wall clock of `zone`."""
    return instant.astimezone(zone_of(zone))


def care_day(instant: datetime, *, zone: str) -> date:
    """The local date on which `instant` falls."""
    return instant.astimezone(zone_of(zone)).date()


def to_utc(*, day: date, at: time, zone: str, offset_minutes: int | None = None) -> datetime:
    """The instant of a local date and time. Raises `NonexistentLocalTime` in the gap of spring and `AmbiguousLocalTime` in the
    hour that comes twice in autumn, unless `offset_minutes` names one of its two readings (bad-input 75, 76)."""
    wall = datetime.combine(day, at.replace(tzinfo=None))
    first, second = _readings(wall, zone)
    if first == second:
        return _checked(first, wall, offset_minutes)
    if in_zone(first, zone=zone).replace(tzinfo=None) != wall:
        raise NonexistentLocalTime(local=wall, zone=zone, choices=(first, second))
    for reading in (first, second):
        if offset_minutes is not None and _offset_minutes(wall, reading) == offset_minutes:
            return reading
    offsets = (_offset_minutes(wall, first), _offset_minutes(wall, second))
    raise AmbiguousLocalTime(local=wall, zone=zone, offsets_minutes=offsets)


def _readings(wall: datetime, zone: str) -> tuple[datetime, datetime]:
    """The instants of `wall` under the two folds; equal on every ordinary minute of the year."""
    local = wall.replace(tzinfo=zone_of(zone))
    return local.replace(fold=0).astimezone(UTC), local.replace(fold=1).astimezone(UTC)


def _offset_minutes(wall: datetime, instant: datetime) -> int:
    return round((wall - instant.replace(tzinfo=None)).total_seconds() / 60)


def _checked(instant: datetime, wall: datetime, offset_minutes: int | None) -> datetime:
    if offset_minutes is not None and wall.replace(tzinfo=timezone(timedelta(minutes=offset_minutes))) != instant:
        raise ValueError(f"The UTC offset on {wall:%d %B %Y %H:%M} is {_offset_minutes(wall, instant)} minutes.")
    return instant


def ends_at(*, start: datetime, minutes: int) -> datetime:
    """The end of what starts at `start` and lasts `minutes` elapsed minutes."""
    return start.astimezone(UTC) + timedelta(minutes=minutes)


def local_end(*, day: date, at: time, minutes: int, zone: str, offset_minutes: int | None = None) -> datetime:
    """The local wall-clock end of a visit of `minutes` elapsed minutes that starts at a local time."""
    start = to_utc(day=day, at=at, zone=zone, offset_minutes=offset_minutes)
    return in_zone(ends_at(start=start, minutes=minutes), zone=zone)


def local_period(*, day: date, since: time, until: time, zone: str) -> Period:
    """The period from `since` to `until` on the wall clock, past midnight when `until` is not after `since`: a night from 22:00 to
    07:00 is 8 hours when the clocks go forward and 10 when they go back (bad-input 77). Raises as `to_utc`."""
    last_day = day if until > since else day + timedelta(days=1)
    return Period(start=to_utc(day=day, at=since, zone=zone), end=to_utc(day=last_day, at=until, zone=zone))


def day_period(day: date, *, zone: str) -> Period:
    """The care day as a period: 23, 24 or 25 hours long."""
    return Period(
        start=to_utc(day=day, at=time(0), zone=zone), end=to_utc(day=day + timedelta(days=1), at=time(0), zone=zone)
    )
