"""Who may do what, and whose rows: each role on each route, and every foreign id."""

from typing import Any

import pytest

from tests.api import town
from tests.api.conftest import Reader, TestClient, csrf

ROLES = ("worker", "branch", "commissioner", "safeguarding", "admin")
EVERYONE = frozenset(ROLES)
SEE_ALERTS = frozenset({"branch", "commissioner", "safeguarding", "admin"})
ACT = frozenset({"branch", "safeguarding", "admin"})
MONEY = frozenset({"branch", "commissioner", "admin"})
PLAN = frozenset({"branch", "admin"})
COMMISSIONING = frozenset({"commissioner", "admin"})
TAKES_IN = frozenset({"branch", "commissioner", "admin"})

READS: dict[str, frozenset[str]] = {
    "/": EVERYONE,
    "/visits": EVERYONE,
    "/visits/v-done": EVERYONE,
    "/alerts": SEE_ALERTS,
    "/alerts/list": SEE_ALERTS,
    "/alerts/1": SEE_ALERTS,
    "/invoices": MONEY,
    "/invoices/inv-1": MONEY,
    "/findings": EVERYONE,
    "/exports": MONEY,
    "/exports/actuals.csv?since=2026-11-02&last=2026-11-02": MONEY,
    "/localities": COMMISSIONING,
    "/devices": PLAN,
    "/imports": TAKES_IN,
    "/imports/example/claim.csv": COMMISSIONING,
    "/v1/imports": TAKES_IN,
    "/rosters": PLAN,
    "/rosters/r-1": PLAN,
    "/v1/session": EVERYONE,
    "/v1/visits": EVERYONE,
    "/v1/visits/v-done": EVERYONE,
    "/v1/alerts": SEE_ALERTS,
    "/v1/invoices/inv-1": MONEY,
    "/v1/rosters/r-1": PLAN,
    "/metrics": frozenset({"admin"}),
}
ACTS: dict[str, tuple[dict[str, Any], frozenset[str]]] = {
    "/v1/alerts/1/acknowledge": ({"words": "ringing"}, ACT),
    "/v1/alerts/1/close": ({"outcome": "Customer well"}, ACT),
    "/v1/popbacks": ({"customer_id": "c1", "wanted_at": "2026-11-05T15:00:00Z", "minutes": 30}, PLAN),
}
FORMS: dict[str, tuple[dict[str, str], frozenset[str]]] = {
    "/alerts/1/acknowledge": ({}, ACT),
    "/alerts/1/close": ({"outcome": "Customer well"}, ACT),
    "/invoices/shadow": (
        {"pair": f"{town.COUNCIL}|{town.PROVIDER}", "until": "2026-12-24", "why": "Phones came late"},
        COMMISSIONING,
    ),
}
OWN = {
    "/findings/1/reply",
    "/imports/{upload_id}",
    "/imports/{upload_id}/confirm",
    "/imports/{upload_id}/discard",
}
"""For one person alone: tests/api/test_findings, test_import_pages."""
CALENDAR = "/calendar/{token}.ics"
"""Whoever has the secret address: tests/api/test_calendars."""
OPEN_TO_ALL = {"/sign-in", "/sign-out", "/health", "/v1/events", "/v1/telephony/voice", "/alerts/stream", CALENDAR}


def token(client: TestClient) -> dict[str, str]:
    return {"x-csrf-token": client.get("/v1/session").json()["csrf_token"]}


@pytest.mark.parametrize("role", ROLES)
def test_each_role_reads_what_is_its_own_and_nothing_else(visitor: Reader, role: str) -> None:
    """Broken: a role sees a page that is not its business, or misses one that is."""
    client = visitor(role)
    found = {path: client.get(path).status_code for path in READS}
    assert found == {path: 200 if role in allowed else 403 for path, allowed in READS.items()}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("path", ACTS)
def test_each_role_does_what_is_its_own_and_nothing_else(visitor: Reader, role: str, path: str) -> None:
    """Broken: a role changes what it may only see."""
    client = visitor(role)
    body, allowed = ACTS[path]
    status = client.post(path, json=body, headers=token(client)).status_code
    assert status == (200 if role in allowed else 403)


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("path", FORMS)
def test_each_role_sends_only_its_own_forms(visitor: Reader, role: str, path: str) -> None:
    """Broken: hiding a button would be the only thing that keeps a role from pressing it."""
    client = visitor(role)
    form, allowed = FORMS[path]
    status = client.post(path, data={**form, "csrf_token": csrf(client.get("/").text)}).status_code
    assert status == (303 if role in allowed else 403)


def test_nobody_gets_anything_without_signing_in(visitor: Reader) -> None:
    """Broken: a route without a lock."""
    client = visitor()
    for path in READS:
        answer = client.get(path)
        assert answer.status_code == (401 if path.startswith(("/v1/", "/metrics")) else 303), path
    for path, (body, _) in ACTS.items():
        assert client.post(path, json=body).status_code == 401, path
    assert client.get("/alerts/stream").status_code == 401


def test_every_route_stands_in_this_matrix(visitor: Reader) -> None:
    """Broken: a new route without a line here would be a route whose lock nobody has tried."""
    tried = {*READS, *ACTS, *FORMS, *OWN, *OPEN_TO_ALL}
    filled = {
        "/visits/{visit_key}": "/visits/v-done",
        "/invoices/{invoice_id}": "/invoices/inv-1",
        "/rosters/{roster_id}": "/rosters/r-1",
        "/imports/example/{kind}.csv": "/imports/example/claim.csv",
        "/exports/{name}.csv": "/exports/actuals.csv?since=2026-11-02&last=2026-11-02",
    }
    app = visitor().app
    for path in {path for path in _paths(app) if not path.startswith(("/static", "/openapi"))}:
        concrete = path.replace("{alert_id}", "1").replace("{flag_id}", "1")
        for pattern, example in filled.items():
            concrete = concrete.replace(pattern, example)
        assert concrete in tried, path


def _paths(app: Any) -> set[str]:
    from api.app import ROUTERS

    return {route.path for router in ROUTERS for route in router.routes}


FOREIGN = {
    "branch": ["/visits/v-foreign", "/alerts/3", "/invoices/inv-9", "/rosters/r-9", "/v1/visits/v-foreign", "/v1/invoices/inv-9", "/v1/rosters/r-9"],
    "commissioner": ["/visits/v-foreign", "/alerts/3", "/invoices/inv-9", "/v1/visits/v-foreign", "/v1/invoices/inv-9"],
    "safeguarding": ["/visits/v-foreign", "/alerts/3", "/v1/visits/v-foreign"],
    "worker": ["/visits/v-foreign", "/v1/visits/v-foreign"],
    "otherworker": ["/visits/v-done", "/v1/visits/v-done"],
    "otherbranch": ["/visits/v-done", "/alerts/1", "/invoices/inv-1", "/rosters/r-1", "/v1/visits/v-done", "/v1/invoices/inv-1", "/v1/rosters/r-1"],
    "othercouncil": ["/visits/v-done", "/alerts/1", "/invoices/inv-1", "/v1/visits/v-done", "/v1/invoices/inv-1"],
    "othersafeguarding": ["/visits/v-done", "/alerts/1", "/v1/visits/v-done"],
    "localbranch": ["/visits/v-done", "/alerts/1", "/invoices/inv-1", "/rosters/r-1", "/v1/visits/v-done"],
    "lost": ["/visits/v-done", "/alerts/1", "/invoices/inv-1", "/rosters/r-1", "/v1/visits/v-done"],
}  # fmt: skip


@pytest.mark.parametrize("who", FOREIGN)
def test_a_foreign_id_answers_exactly_as_an_unknown_one(visitor: Reader, who: str) -> None:
    """Broken: the answer would tell that somebody else's visit, alert, invoice or roster exists (bad-input 43)."""
    client = visitor(who)
    for path in FOREIGN[who]:
        head, _, _ = path.rpartition("/")
        unknown = client.get(f"{head}/{'999999' if 'alerts' in path else 'no-such-id'}")
        foreign = client.get(path)
        assert (foreign.status_code, foreign.text) == (404, unknown.text), path


@pytest.mark.parametrize("who", ["otherbranch", "othersafeguarding", "lost"])
def test_a_foreign_alert_cannot_be_acted_on(visitor: Reader, who: str) -> None:
    """Broken: another agency could silence an alert (bad-input 43)."""
    client = visitor(who)
    for act, body in (("acknowledge", {}), ("close", {"outcome": "done"})):
        foreign = client.post(f"/v1/alerts/1/{act}", json=body, headers=token(client))
        unknown = client.post(f"/v1/alerts/99999/{act}", json=body, headers=token(client))
        assert (foreign.status_code, foreign.text) == (404, unknown.text)
    assert visitor("branch").get("/v1/alerts?state=open").json()["counts"]["open"] == 1


def test_a_pop_back_is_asked_only_for_ones_own_customers(visitor: Reader) -> None:
    """Broken: any branch could plan visits at another's customers."""
    client = visitor("otherbranch")
    body = {"customer_id": "c1", "wanted_at": "2026-11-05T15:00:00Z", "minutes": 30}
    foreign = client.post("/v1/popbacks", json=body, headers=token(client))
    unknown = client.post("/v1/popbacks", json={**body, "customer_id": "c-unknown"}, headers=token(client))
    assert (foreign.status_code, foreign.text) == (404, unknown.text)


def test_lists_hold_only_the_readers_own_rows(visitor: Reader) -> None:
    """Broken: a list would leak what the single page refuses."""
    keys = {
        who: {visit["visit_key"] for visit in visitor(who).get("/v1/visits").json()["visits"]}
        for who in town.ROLES
        if who != "lost"
    }
    assert keys["otherbranch"] == keys["othercouncil"] == {"v-foreign"}
    assert keys["branch"] == keys["commissioner"] == keys["worker"]
    assert len(keys["branch"]) == 7
    assert keys["otherworker"] == keys["localbranch"] == set()
    assert len(keys["admin"]) == 8
    assert visitor("othersafeguarding").get("/v1/alerts").json()["counts"] == {"open": 1}
    assert "inv-1" not in visitor("otherbranch").get("/invoices").text
    assert "r-9" not in visitor("branch").get("/rosters").text
    assert visitor("lost").get("/v1/visits").json()["matching"] == 0


def test_money_on_a_visit_is_for_those_who_may_see_invoices(visitor: Reader) -> None:
    """Broken: a care worker or the safeguarding lead would read what the agency is paid."""
    assert visitor("branch").get("/v1/visits/v-done").json()["charges"]
    assert visitor("worker").get("/v1/visits/v-done").json()["charges"] == []
    assert "£" not in visitor("safeguarding").get("/visits/v-done").text
