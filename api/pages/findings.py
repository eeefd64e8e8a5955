"""The page of call cramming: what was found about workers and about rosters, in sentences. Not the tests (evm.domain.cramming), and no
pay follows from it."""

import re
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Form, Query, Request, Response
from fastapi.responses import RedirectResponse
from pydantic import Field, StringConstraints
from sqlalchemy.orm import Session

from api import auth
from api.auth import FindingViewer, Viewer
from api.pages.paging import href, pages
from api.pages.render import render
from api.problems import not_found
from api.query import FlagNumber, PageQuery, Strict
from api.site import site_of
from evm.domain.finding import FindingCode
from evm.domain.policy import Policy
from evm.store import visits
from evm.store.screens import findings
from evm.store.screens.findings import FlagRow

router = APIRouter(include_in_schema=False)
VISIT: Final = re.compile(r"\b([Vv])isit ([a-z0-9-]{1,32})(?![a-z0-9-])")
KINDS: Final = {
    "worker": (FindingCode.CRAMMING_BY_WORKER, "By the worker"),
    "roster": (FindingCode.CRAMMING_IN_ROSTER, "Built into the roster"),
}


class FindingsQuery(PageQuery):
    """Which of the two; empty: the first page of both."""

    kind: Literal["", "worker", "roster"] = ""


class ReplyForm(Strict):
    """What the worker answers."""

    csrf_token: Annotated[str, Field(max_length=200)]
    words: Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=2000)]


@router.get("/findings")
def findings_page(request: Request, query: Annotated[FindingsQuery, Query()], viewer: FindingViewer) -> Response:
    site = site_of(request)
    with site.reading() as session:
        tables = [
            _table(session, kind=kind, query=query, viewer=viewer, rows=site.settings.page_rows)
            for kind in KINDS
            if query.kind in {"", kind}
        ]
    facts = {
        "may_reply": viewer.scope.worker_id is not None,
        "tables": tables,
        "kind": query.kind,
        "thresholds": thresholds(site.policy),
    }
    return render(request, template="findings.html", facts=facts)


@router.post("/findings/{flag_id}/reply")
def reply(request: Request, flag_id: FlagNumber, form: Annotated[ReplyForm, Form()], viewer: FindingViewer) -> Response:
    """The worker's own words about a finding; the newest stand beside it."""
    auth.check_same_site(request)
    auth.check_csrf(viewer, token=form.csrf_token)
    with site_of(request).sessions.begin() as session:
        if not findings.may_reply(session, scope=viewer.scope, flag_id=flag_id):
            raise not_found()
        visits.reply_to_flag(session, flag_id=flag_id, reply=form.words)
    return RedirectResponse(f"/findings#flag-{flag_id}", status_code=303)


def _table(session: Session, *, kind: str, query: FindingsQuery, viewer: Viewer, rows: int) -> dict[str, Any]:
    code, title = KINDS[kind]
    number = query.page if query.kind else 1
    matching, found = findings.flags(
        session, scope=viewer.scope, code=code.value, limit=rows, offset=(number - 1) * rows
    )
    named = {name for flag in found for sentence in flag.sentences for _, name in VISIT.findall(sentence)}
    names = findings.customers_of_visits(session, scope=viewer.scope, visit_ids=named)
    return {
        "kind": kind,
        "title": title,
        "flags": [_flag(flag, names) for flag in found],
        "matching": matching,
        "all_href": href("/findings", {"kind": kind}),
        "pages": pages(path="/findings", query={"kind": kind}, number=number, matching=matching, rows=rows),
    }


def _flag(flag: FlagRow, names: dict[str, str]) -> dict[str, Any]:
    first, *rest = (linked(sentence, names=names) for sentence in flag.sentences)
    return {"flag": flag, "first": first, "rest": rest}


def linked(sentence: str, *, names: dict[str, str]) -> tuple[tuple[str, str | None], ...]:
    """The sentence in pieces of (text, link): each visit the reader may see becomes a link in its customer's name."""
    pieces: list[tuple[str, str | None]] = []
    end = 0
    for match in VISIT.finditer(sentence):
        name = names.get(match[2])
        if name is not None:
            pieces += [(f"{sentence[end : match.start()]}{match[1]}isit to ", None), (name, f"/visits/{match[2]}")]
            end = match.end()
    return (*pieces, (sentence[end:], None))


def thresholds(policy: Policy) -> tuple[str, ...]:
    """What the policy asks before anything is flagged, in words."""
    return (
        (
            f"By the worker: over {policy.cramming_weeks} weeks and at least {policy.cramming_pairs_min} pairs of consecutive visits. "
            f"A visit counts as cut short into the next when at least {policy.cramming_freed_minutes_min} minutes and "
            f"{_percent(policy.cramming_freed_share_min)} of it are left out and the next check-in is at least "
            f"{policy.cramming_early_minutes_min} minutes early."
        ),
        (
            f"It is compared with what other workers show with the same customers; of all workers flagged, at most "
            f"{_percent(policy.cramming_false_discovery_rate)} are expected to be flagged by chance."
        ),
        (
            f"Built into the roster: worked in full and with the journeys of the policy, some visit of the day would start more than "
            f"{policy.cramming_late_minutes_max} minutes late."
        ),
    )


def _percent(share: float) -> str:
    return f"{share * 100:g} %"
