"""The page of a branch's devices: which of them is silent, and whose clock is wrong. Not enrolling or revoking (`popback device`)."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from api.auth import DeviceViewer
from api.pages import words
from api.pages.paging import pages
from api.pages.render import render
from api.query import PageQuery
from api.site import site_of
from evm.store.screens import devices
from evm.store.screens.devices import DeviceLine

router = APIRouter(include_in_schema=False)


@router.get("/devices")
def devices_page(request: Request, query: Annotated[PageQuery, Query()], viewer: DeviceViewer) -> Response:
    site = site_of(request)
    rows = site.settings.page_rows
    with site.reading() as session:
        matching, found = devices.listed(session, scope=viewer.scope, limit=rows, offset=(query.page - 1) * rows)
    facts: dict[str, Any] = {
        "rows": [{"device": row, "status": status(row), "clock_said": clock_said(row.offset_seconds)} for row in found],
        "pages": pages(path="/devices", query={}, number=query.page, matching=matching, rows=rows),
    }
    return render(request, template="devices.html", facts=facts)


def status(row: DeviceLine) -> words.Status:
    """How a device stands; one that cannot send any more is revoked, whatever it said last."""
    if row.revoked_at is not None:
        return words.DEVICE_STATES["revoked"]
    if row.last_received_at is None:
        return words.DEVICE_STATES["never"]
    return words.status_of(words.DEVICE_STATES, row.status or "unsaid")


def clock_said(offset_seconds: float | None) -> str:
    """The device's clock against ours, in words."""
    if offset_seconds is None:
        return "not known"
    if abs(offset_seconds) < 1:
        return "right"
    return f"{words.duration(round(offset_seconds))} {'fast' if offset_seconds > 0 else 'slow'}"
