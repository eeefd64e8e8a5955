"""The bank holidays of England as gov.uk lists them. Not the day types of a tariff: an agreement says which days it pays dearer."""

from datetime import date

import holidays

SATURDAY = 5


def bank_holidays(*, since_day: date, until_day: date) -> frozenset[date]:
    """Bank holidays on the local days `[since_day, until_day)`.

    gov.uk lists only the substitute weekday of a holiday that falls on a weekend; the `holidays` package lists both."""
    years = range(since_day.year, until_day.year + 1)
    listed = holidays.country_holidays("GB", subdiv="ENG", years=years)
    return frozenset(day for day in listed if since_day <= day < until_day and day.weekday() < SATURDAY)
