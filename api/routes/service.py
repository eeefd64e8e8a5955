"""Whether the service lives and how it fares, for supervisors and Prometheus. No personal data."""

import hmac

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest
from pydantic import BaseModel, ConfigDict
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from api.auth import Right, needs
from api.problems import Problem
from api.site import Site, site_of
from evm.store.screens import service

router = APIRouter(tags=["service"])


class HealthAnswer(BaseModel):
    model_config = ConfigDict(frozen=True)

    status: str


@router.get(
    "/health",
    summary="Whether the service can answer",
    responses={503: {"description": "The database does not answer"}},
)
def health(request: Request) -> HealthAnswer:
    """200 when the database answers, else 503."""
    try:
        with site_of(request).reading() as session:
            session.execute(text("SELECT 1")).scalar_one()
    except SQLAlchemyError as error:
        raise Problem(503, "database", "The database does not answer.") from error
    return HealthAnswer(status="ok")


@router.get("/metrics", summary="Metrics for Prometheus", response_class=Response)
def metrics(request: Request) -> Response:
    """Needs the configured bearer token, or an administrator's session."""
    site = site_of(request)
    if not _has_token(request, site):
        needs(Right.SEE_METRICS)(request)
    registry = CollectorRegistry()
    with site.reading() as session:
        figures = service.figures(session, now=site.clock())
    for name, (words, value) in figures.items():
        Gauge(f"popback_{name}", words, registry=registry).set(value)
    Gauge("popback_live_watchers", "Open live pages.", registry=registry).set(request.app.state.stream.watching)
    return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)


def _has_token(request: Request, site: Site) -> bool:
    token = site.settings.metrics_token
    given = request.headers.get("authorization", "").removeprefix("Bearer ")
    return token is not None and hmac.compare_digest(token.get_secret_value().encode(), given.encode())
