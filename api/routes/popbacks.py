"""Asking for a pop-back. Not the answer's rules (evm.services.popback)."""

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Request
from pydantic import AwareDatetime, Field

from api.auth import PopbackAsker, check_program
from api.problems import Problem, not_found
from api.query import Id, Strict
from api.routes.visits import Answer
from api.site import site_of
from evm.domain.ids import CustomerId
from evm.services import popback
from evm.store import plans
from evm.store.screens.scope import customer_visible

router = APIRouter(tags=["pop-backs"])


class PopbackBody(Strict):
    """Who, when and how long. `workers_needed` left out: as many as the customer's task plan sends. `request_id` of the asker's choosing
    makes asking twice the same as asking once."""

    customer_id: Id
    wanted_at: AwareDatetime
    minutes: Annotated[int, Field(strict=True, ge=1, le=240)]
    workers_needed: Annotated[int, Field(strict=True, ge=1, le=2)] | None = None
    request_id: Id | None = None


class AlternativeAnswer(Answer):
    """What could be had instead; `at` None: a call at once."""

    kind: str
    words: str
    at: datetime | None
    minutes: int | None
    visit_id: str | None


class PopbackAnswer(Answer):
    """`promised` with the visit it became, or `refused` with the reason and what could be had instead."""

    request_id: str
    state: str
    words: str
    visit_id: str | None
    alternatives: tuple[AlternativeAnswer, ...]
    moved: tuple[str, ...]


@router.post("/v1/popbacks", summary="Ask for a pop-back")
def ask(request: Request, body: PopbackBody, viewer: PopbackAsker) -> PopbackAnswer:
    check_program(request, viewer)
    site = site_of(request)
    now = site.clock()
    try:
        with site.sessions.begin() as session:
            if not customer_visible(session, scope=viewer.scope, customer_id=body.customer_id):
                raise not_found()
            known = plans.popback_request(session, request_id=body.request_id) if body.request_id else None
            if known is not None and known.customer_id != body.customer_id:
                raise Problem(409, "request-id", "This request_id stands for another request.")
            answer = popback.ask(
                session,
                customer_id=CustomerId(body.customer_id),
                asked_at=now,
                asked_by=viewer.account.name,
                wanted_at=body.wanted_at,
                minutes=body.minutes,
                workers_needed=body.workers_needed,
                now=now,
                policy=site.policy,
                request_id=body.request_id,
            )
    except popback.PopbackInvalid as invalid:
        raise Problem(422, "popback", f"{invalid.field}: {invalid.words}") from invalid
    return PopbackAnswer(
        request_id=answer.request_id,
        state=answer.state.value,
        words=answer.words,
        visit_id=answer.visit_id,
        alternatives=tuple(
            AlternativeAnswer(kind=it.kind.value, words=it.words, at=it.at, minutes=it.minutes, visit_id=it.visit_id)
            for it in answer.alternatives
        ),
        moved=answer.moved,
    )
