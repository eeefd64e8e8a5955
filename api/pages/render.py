"""Turns facts into pages with Jinja2 and the GOV.UK macros. Not which facts a page shows (the other modules of this folder)."""

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import ChainableUndefined, ChoiceLoader, Environment, PackageLoader, PrefixLoader, select_autoescape

from api.pages import words


@lru_cache(maxsize=1)
def environment() -> Environment:
    """The one template environment: everything is escaped, whatever the file's name."""
    made = Environment(
        loader=ChoiceLoader(
            [
                PackageLoader("api", "templates"),
                PrefixLoader({"govuk_frontend_jinja": PackageLoader("govuk_frontend_jinja")}),
            ]
        ),
        autoescape=select_autoescape(default=True, default_for_string=True),
        undefined=ChainableUndefined,  # the GOV.UK macros read options that are not given
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(
        pounds=words.pounds,
        plain=words.plain,
        duration=words.duration,
        counted=words.counted,
    )
    return made


def render(request: Request, *, template: str, facts: Mapping[str, Any], status: int = 200) -> HTMLResponse:
    """A whole page. Times are shown in the site's zone; the reader, the navigation and the nonce come from the request."""
    site = request.app.state.site
    viewer = getattr(request.state, "viewer", None)
    zone: ZoneInfo = site.zone
    now: datetime = site.clock()
    shared = {
        "viewer": viewer,
        "rights": frozenset(right.name for right in viewer.rights) if viewer else frozenset(),
        "csrf_token": viewer.csrf_token if viewer else "",
        "nonce": request.state.nonce,
        "path": request.url.path,
        "now": now,
        "today": now.astimezone(zone).date(),
        "clock": lambda at: clock(at, zone=zone),
        "clock_s": lambda at: at.astimezone(zone).strftime("%H:%M:%S"),
        "moment": lambda at: moment(at, zone=zone),
        "local_day": lambda at: at.astimezone(zone).date(),
        "day_words": day_words,
        "period": period,
    }
    return HTMLResponse(environment().get_template(template).render({**shared, **facts}), status_code=status)


def clock(at: datetime | None, *, zone: ZoneInfo) -> str:
    """Local time, "09:05"; an instant that is not known is a dash."""
    return words.DASH if at is None else at.astimezone(zone).strftime("%H:%M")


def moment(at: datetime | None, *, zone: ZoneInfo) -> str:
    """Local day and time: "Sunday 22 November 2026, 09:05 GMT"."""
    return words.DASH if at is None else f"{day_words(at.astimezone(zone).date())}, {at.astimezone(zone):%H:%M %Z}"


def day_words(day: date) -> str:
    """A day in words: "Sunday 22 November 2026"."""
    return f"{day:%A} {day.day} {day:%B %Y}"


def period(since: date, until: date) -> str:
    """Days since..until, `until` being the first day after: "Monday 2 November 2026 to Sunday 29 November 2026"."""
    return f"{day_words(since)} to {day_words(until - timedelta(days=1))}"
