"""Calendars by secret address: whoever has it may read it, nobody can guess it, and it can be revoked. Not what they say
(evm.services.exports.calendar)."""

from typing import Final

from fastapi import APIRouter, Request, Response

from api.problems import Problem, not_found
from api.site import site_of
from evm.services.exports import calendar

router = APIRouter(include_in_schema=False)
TOKEN_CHARACTERS: Final = 32  # 192 bits, URL-safe base64


@router.get("/calendar/{token}.ics")
def calendar_feed(request: Request, token: str) -> Response:
    """The calendar; 304 when the reader has it already; the same 404 for every token that opens nothing."""
    site = site_of(request)
    host = request.client.host if request.client is not None else "unknown"
    if not site.addresses.allows(key=f"calendar:{host}", now=site.clock()):
        raise Problem(429, "too-many", "Too many requests for calendars from this address. Wait a minute.")
    if len(token) != TOKEN_CHARACTERS or not token.isascii():
        raise not_found()
    today, now = site.today(), site.clock()
    with site.reading() as session:
        plain = calendar.feed(session, token=token, today=today, stamp=calendar.FIXED_STAMP, policy=site.policy)
        if plain is None:
            raise not_found()
        etag = calendar.etag_of(plain)
        if etag in [one.strip() for one in request.headers.get("if-none-match", "").split(",")]:
            return Response(status_code=304, headers={"etag": etag})
        found = calendar.feed(session, token=token, today=today, stamp=now, policy=site.policy)
    return Response(found, media_type="text/calendar; charset=utf-8", headers={"etag": etag})
