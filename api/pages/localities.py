"""The page of localities for who commissions them: providers with their contracts, customers, planned hours, outlines. Not changing any of
it (`popback locality`, imports)."""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date, timedelta
from itertools import groupby
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from sqlalchemy.orm import Session

from api.auth import LocalityViewer
from api.pages.outline import outline
from api.pages.render import render
from api.query import Strict
from api.site import site_of
from evm.store.screens import localities
from evm.store.screens.localities import ContractRow, LocalitySummary

router = APIRouter(include_in_schema=False)


class LocalitiesQuery(Strict):
    """Nothing to choose yet."""


@router.get("/localities")
def localities_page(request: Request, query: Annotated[LocalitiesQuery, Query()], viewer: LocalityViewer) -> Response:
    del query
    site = site_of(request)
    today = site.today()
    since = today - timedelta(days=today.weekday())
    with site.reading() as session:
        rows = localities.visible(session, scope=viewer.scope)
        councils = [
            _council(session, rows=tuple(own), today=today, since=since)
            for _, own in groupby(rows, key=lambda row: row.council_id)
        ]
    facts = {"councils": councils, "since": since, "until": since + timedelta(days=7)}
    return render(request, template="localities.html", facts=facts)


def _council(session: Session, *, rows: Sequence[LocalitySummary], today: date, since: date) -> dict[str, Any]:
    council_id = rows[0].council_id
    ids = frozenset({council_id})
    contracts: dict[str, list[ContractRow]] = defaultdict(list)
    for contract in localities.contracts(session, council_ids=ids):
        contracts[contract.locality_id].append(contract)
    minutes = localities.planned_minutes(session, council_ids=ids, since=since, until=since + timedelta(days=7))
    serving = localities.providers_serving(session, council_ids=ids)
    numbers = {row.locality_id: number for number, row in enumerate(rows, 1)}
    shown = {key: shape for key, shape in localities.polygons(session, council_id=council_id).items() if key in numbers}
    return {
        "name": rows[0].council_name,
        "keeps_contracts": bool(contracts),
        "outline": outline(shown, numbers=numbers),
        "rows": [
            {
                "number": numbers[row.locality_id],
                "row": row,
                "contracts": [_contract(each, today) for each in contracts[row.locality_id]],
                "serving": serving.get(row.locality_id, ()),
                "hours": _hours(minutes.get(row.locality_id, 0)),
            }
            for row in rows
        ],
    }


def _contract(contract: ContractRow, today: date) -> dict[str, Any]:
    ended = contract.until is not None and contract.until <= today
    return {
        "contract": contract,
        "last_day": None if contract.until is None else contract.until - timedelta(days=1),
        "state": "ended" if ended else "from later on" if contract.since > today else "",
        "kind": "exclusive" if contract.exclusive else "shared",
    }


def _hours(minutes: int) -> str:
    """Hours with one decimal, exactly rounded half up: 90 minutes are "1.5"."""
    tenths = (minutes * 10 + 30) // 60
    return f"{tenths // 10:,}.{tenths % 10}"
