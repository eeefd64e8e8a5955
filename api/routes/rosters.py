"""A roster as JSON, whole as it is stored. The same scope as the page (api.pages.rosters)."""

from datetime import date, datetime
from typing import Any

from fastapi import APIRouter, Request

from api.auth import RosterViewer
from api.problems import not_found
from api.query import Id
from api.routes.visits import Answer
from api.site import site_of
from evm.store import rosters as store
from evm.store.screens import rosters

router = APIRouter(tags=["rosters"])


class RosterAnswer(Answer):
    """`body` holds runs with their stops, unfilled visits with reasons, score and changes (evm.services.roster_body says its shape)."""

    roster_id: str
    locality_id: str
    provider_id: str
    day: date
    state: str
    version: int
    made_at: datetime
    published_at: datetime | None
    published_by: str | None
    unfilled: int
    violations: int
    travel_seconds: int
    body: dict[str, Any]


@router.get("/v1/rosters/{roster_id}", summary="A roster")
def one_roster(request: Request, roster_id: Id, viewer: RosterViewer) -> RosterAnswer:
    with site_of(request).reading() as session:
        row = rosters.one(session, scope=viewer.scope, roster_id=roster_id)
        record = store.roster(session, roster_id=roster_id) if row is not None else None
        if row is None or record is None:
            raise not_found()
        body = rosters.without_passed(session, provider_id=row.provider_id, body=record.body)
    return RosterAnswer(body=body, **{name: getattr(row, name) for name in RosterAnswer.model_fields if name != "body"})
