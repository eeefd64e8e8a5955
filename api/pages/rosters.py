"""The pages of rosters and of one roster as a table. Not making or publishing them (evm.services.roster)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from api.auth import RosterViewer
from api.pages import words
from api.pages.render import render
from api.problems import not_found
from api.query import Id, Strict
from api.site import site_of
from evm.store import rosters as store
from evm.store.screens import rosters

router = APIRouter(include_in_schema=False)
ROSTERS_SHOWN = 100


class RostersQuery(Strict):
    """Nothing to choose yet."""


@router.get("/rosters")
def rosters_page(request: Request, query: Annotated[RostersQuery, Query()], viewer: RosterViewer) -> Response:
    del query
    with site_of(request).reading() as session:
        rows = rosters.listed(session, scope=viewer.scope, limit=ROSTERS_SHOWN)
    facts = {
        "rows": [{"roster": row, "state": words.status_of(words.ROSTER_STATES, row.state)} for row in rows],
        "shown_max": ROSTERS_SHOWN,
    }
    return render(request, template="rosters.html", facts=facts)


@router.get("/rosters/{roster_id}")
def roster_page(request: Request, roster_id: Id, viewer: RosterViewer) -> Response:
    with site_of(request).reading() as session:
        row = rosters.one(session, scope=viewer.scope, roster_id=roster_id)
        record = store.roster(session, roster_id=roster_id) if row is not None else None
        if row is None or record is None:
            raise not_found()
        body = rosters.without_passed(session, provider_id=row.provider_id, body=record.body)
        names = _names(session, body)
    facts = {
        "roster": row,
        "state": words.status_of(words.ROSTER_STATES, row.state),
        "runs": [_run(run, names) for run in body["runs"]],
        "unfilled": [_unfilled(each, names) for each in body["unfilled"]],
        "violations": body.get("violations", ()),
        "findings": body.get("findings", ()),
        "changes": [_named(change["words"], names) for change in body.get("changes", ())],
        "made": body.get("made", ""),
        "visits": sum(len(run["stops"]) for run in body["runs"]),
    }
    return render(request, template="roster.html", facts=facts)


def _names(session: Any, body: Mapping[str, Any]) -> dict[str, str]:
    stops = [stop for run in body["runs"] for stop in run["stops"]]
    customers = {item["customer"] for item in (*stops, *body["unfilled"])}
    workers = {run["worker"] for run in body["runs"]} | {
        near["worker"] for each in body["unfilled"] for near in each["nearest"]
    }
    return {
        **rosters.customers_named(session, customer_ids=frozenset(customers)),
        **rosters.workers_named(session, worker_ids=frozenset(workers)),
    }


def _at(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _run(run: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    stops = [
        {
            "href": f"/visits/{stop['visit']}",
            "start": _at(stop["start"]),
            "end": _at(stop["end"]),
            "customer": names.get(stop["customer"], stop["customer"]),
            "moved_minutes": int((_at(stop["start"]) - _at(stop["agreed_start"])).total_seconds()) // 60,
            "popback": stop["popback"],
        }
        for stop in run["stops"]
    ]
    contact = sum(int((stop["end"] - stop["start"]).total_seconds()) for stop in stops)
    return {
        "worker": names.get(run["worker"], run["worker"]),
        "leave": _at(run["leave"]),
        "back": _at(run["back"]),
        "travel_seconds": run["travel_seconds"],
        "contact_seconds": contact,
        "stops": stops,
    }


def _unfilled(each: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    return {
        "href": f"/visits/{each['visit']}",
        "start": _at(each["start"]),
        "slot": each["slot"],
        "customer": names.get(each["customer"], each["customer"]),
        "popback": each["popback"],
        "reason": each["reason"],
        "nearest": [
            {"worker": names.get(near["worker"], near["worker"]), "sentence": _named(near["sentence"], names)}
            for near in each["nearest"]
        ],
    }


def _named(sentence: str, names: Mapping[str, str]) -> str:
    """The sentence with ids of people replaced by their names, word by word."""
    return " ".join(
        names.get(word.strip(".,:;"), word) if word.strip(".,:;") in names else word for word in sentence.split(" ")
    )
