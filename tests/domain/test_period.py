"""Local times, care days and periods; bad-input rows 75-77 and 83. The law over every clock change is in tests/properties."""

from datetime import UTC, date, datetime, time, timedelta

import pytest

from evm.domain.period import (
    AmbiguousLocalTime,
    NonexistentLocalTime,
    Period,
    UnknownZone,
    care_day,
    day_period,
    in_zone,
    local_period,
    seconds_between,
    to_utc,
    zone_of,
)

LONDON = "Europe/London"


def test_row_75_a_time_the_clocks_jump_over_is_refused_with_both_choices():
    """Broken (bad-input 75): 01:30 on 28 March 2027 would silently become another time."""
    with pytest.raises(NonexistentLocalTime, match="Say 00:30 or 02:30") as refused:
        to_utc(day=date(2027, 3, 28), at=time(1, 30), zone=LONDON)
    assert refused.value.choices == (datetime(2027, 3, 28, 1, 30, tzinfo=UTC), datetime(2027, 3, 28, 0, 30, tzinfo=UTC))


def test_row_76_a_time_that_comes_twice_needs_its_offset():
    """Broken (bad-input 76): 01:30 on 31 October 2027 would be an hour out half of the time."""
    with pytest.raises(AmbiguousLocalTime, match="60 or 0 minutes"):
        to_utc(day=date(2027, 10, 31), at=time(1, 30), zone=LONDON)
    first = to_utc(day=date(2027, 10, 31), at=time(1, 30), zone=LONDON, offset_minutes=60)
    second = to_utc(day=date(2027, 10, 31), at=time(1, 30), zone=LONDON, offset_minutes=0)
    assert second - first == timedelta(hours=1)
    with pytest.raises(AmbiguousLocalTime):
        to_utc(day=date(2027, 10, 31), at=time(1, 30), zone=LONDON, offset_minutes=120)


def test_an_offset_that_is_wrong_that_day_is_refused():
    """Broken: a contradiction between a time and its offset would pass."""
    with pytest.raises(ValueError, match="is 0 minutes"):
        to_utc(day=date(2026, 11, 2), at=time(9), zone=LONDON, offset_minutes=60)


def test_row_77_a_night_over_the_clock_change_is_eight_or_ten_hours():
    """Broken (bad-input 77): a night worker would be paid nine hours on both nights."""
    nights = {date(2027, 3, 27): 8, date(2027, 10, 30): 10, date(2027, 6, 1): 9}
    for day, hours in nights.items():
        assert local_period(day=day, since=time(22), until=time(7), zone=LONDON).seconds == hours * 3600


def test_the_hour_that_comes_twice_counts_twice():
    """Broken: 25 Oct 00:45 to 02:15 reads 90 minutes and is 150."""
    start = in_zone(datetime(2026, 10, 24, 23, 45, tzinfo=UTC), zone=LONDON)
    end = in_zone(datetime(2026, 10, 25, 2, 15, tzinfo=UTC), zone=LONDON)
    assert (start.strftime("%H:%M"), end.strftime("%H:%M")) == ("00:45", "02:15")
    assert seconds_between(start, end) == 150 * 60


def test_a_care_day_is_23_24_or_25_hours_long():
    """Broken: the day of the clock change would lose or double an hour of visits."""
    hours = {date(2026, 3, 29): 23, date(2026, 10, 25): 25, date(2026, 7, 1): 24}
    assert {day: day_period(day, zone=LONDON).seconds // 3600 for day in hours} == hours


def test_the_care_day_is_the_local_date():
    """Broken: a visit at half past midnight in summer would count on the day before."""
    assert care_day(datetime(2026, 7, 1, 23, 30, tzinfo=UTC), zone=LONDON) == date(2026, 7, 2)


def test_a_period_holds_its_start_and_not_its_end():
    """Broken: a second at a boundary would belong to two periods."""
    noon = datetime(2026, 7, 1, 12, tzinfo=UTC)
    hour = Period(start=noon, end=noon + timedelta(hours=1))
    assert noon in hour
    assert hour.end not in hour
    assert hour.shared_seconds(Period(start=hour.end, end=hour.end + timedelta(hours=1))) == 0


def test_a_period_of_naive_or_reversed_instants_is_a_bug():
    """Broken: local datetimes would be subtracted unnoticed."""
    noon = datetime(2026, 7, 1, 12, tzinfo=UTC)
    with pytest.raises(ValueError, match="aware"):
        Period(start=noon.replace(tzinfo=None), end=noon)
    with pytest.raises(ValueError, match="no earlier"):
        Period(start=noon, end=noon - timedelta(seconds=1))


@pytest.mark.parametrize("name", ["BST", "GMT+1", "Europe/Atlantis", "../etc/passwd", "UTC"])
def test_row_83_a_zone_is_named_by_region_and_city(name):
    """Broken (bad-input 83): "BST" would be taken for a zone."""
    with pytest.raises(UnknownZone):
        zone_of(name)
