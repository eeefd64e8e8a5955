"""Puts the site together: routes, pages, guards. Not a process: `create_app` is given its sessions, ingest and clock."""

import secrets
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from importlib.resources import files
from typing import TYPE_CHECKING

from fastapi import Depends, FastAPI
from sqlalchemy.orm import Session, sessionmaker
from starlette.concurrency import run_in_threadpool
from starlette.staticfiles import StaticFiles

from api import problems
from api.auth import Throttle
from api.guard import Guard
from api.import_desk import ImportDesk
from api.importing import UPLOAD_BYTES_MAX
from api.pages import account, findings, home
from api.pages import alerts as alert_pages
from api.pages import devices as device_pages
from api.pages import exports as export_pages
from api.pages import imports as import_pages
from api.pages import invoices as invoice_pages
from api.pages import localities as locality_pages
from api.pages import rosters as roster_pages
from api.pages import visits as visit_pages
from api.query import strict_query
from api.routes import alerts, calendars, events, invoices, popbacks, rosters, service, session, telephony, visits
from api.routes import imports as import_routes
from api.settings import Settings
from api.site import Site
from api.stream import AlertStream
from evm.domain.policy import Policy
from evm.store.database import reading_factory

if TYPE_CHECKING:
    from devices.ingest import Ingest

VERSION = "0.1.0"
FORM_BYTES_MAX = 64 * 1024
"""What a form may need beside the file that it sends."""
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
    export_pages.router,
    calendars.router,
    locality_pages.router,
    device_pages.router,
    import_pages.router,
    import_routes.router,
)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    """When the site stops, so does what it was taking in: nothing of it stays."""
    yield
    await run_in_threadpool(app.state.desk.close)


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
        lifespan=_lifespan,
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
    app.state.desk = ImportDesk(sessions=sessions, clock=clock, policy=site.policy, name=secrets.token_hex(16))
    app.state.stream = AlertStream(reading=site.reading, poll_seconds=settings.live_poll_seconds)
    problems.add_handlers(app)
    for router in ROUTERS:
        app.include_router(router)
    app.mount("/static", StaticFiles(directory=str(files("api") / "static")), name="static")
    app.add_middleware(
        Guard,
        body_bytes_max=settings.body_bytes_max,
        upload_bytes_max=UPLOAD_BYTES_MAX + FORM_BYTES_MAX,
        secure=settings.secure,
    )
    return app
