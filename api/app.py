"""Puts the site together: routes, pages, guards. Not a process: `create_app` is given its sessions, ingest and clock."""

from collections.abc import Callable
from datetime import datetime
from importlib.resources import files
from typing import TYPE_CHECKING

from fastapi import Depends, FastAPI
from sqlalchemy.orm import Session, sessionmaker
from starlette.staticfiles import StaticFiles

from api import problems
from api.auth import Throttle
from api.guard import Guard
from api.pages import account, findings, home
from api.pages import alerts as alert_pages
from api.pages import invoices as invoice_pages
from api.pages import localities as locality_pages
from api.pages import rosters as roster_pages
from api.pages import visits as visit_pages
from api.query import strict_query
from api.routes import alerts, events, invoices, popbacks, rosters, service, session, telephony, visits
from api.settings import Settings
from api.site import Site
from api.stream import AlertStream
from evm.domain.policy import Policy
from evm.store.database import reading_factory

if TYPE_CHECKING:
    from devices.ingest import Ingest

VERSION = "0.1.0"
ROUTERS = (
    events.router,
    telephony.router,
    session.router,
    visits.router,
    alerts.router,
    invoices.router,
    rosters.router,
    popbacks.router,
    service.router,
    account.router,
    home.router,
    visit_pages.router,
    alert_pages.router,
    invoice_pages.router,
    roster_pages.router,
    findings.router,
    locality_pages.router,
)


def create_app(
    *,
    sessions: sessionmaker[Session],
    ingest: "Ingest | None",
    clock: Callable[[], datetime],
    settings: Settings,
    policy: Policy | None = None,
) -> FastAPI:
    """The site over a migrated database. `clock` answers aware UTC; `ingest` None: `/v1/events` and the telephony webhook answer 503."""
    app = FastAPI(
        title="popback",
        version=VERSION,
        description="Electronic visit monitoring and homecare rostering.",
        docs_url=None,  # the bundled documentation pages load their scripts from other servers
        redoc_url=None,
        dependencies=[Depends(strict_query)],
        strict_content_type=True,
    )
    site = Site(
        sessions=sessions,
        reading=reading_factory(sessions.kw["bind"]),
        ingest=ingest,
        clock=clock,
        settings=settings,
        policy=policy or Policy(),
        addresses=Throttle(per_minute_max=settings.sign_ins_per_address_minute_max),
        addressees=Throttle(per_minute_max=settings.sign_in_failures_max * 2),
    )
    app.state.site = site
    app.state.stream = AlertStream(reading=site.reading, poll_seconds=settings.live_poll_seconds)
    problems.add_handlers(app)
    for router in ROUTERS:
        app.include_router(router)
    app.mount("/static", StaticFiles(directory=str(files("api") / "static")), name="static")
    app.add_middleware(Guard, body_bytes_max=settings.body_bytes_max, secure=settings.secure)
    return app
