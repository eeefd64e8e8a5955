"""Events over HTTP and calls by webhook: each with its own credential, into the same ingest."""

import json
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy.orm import Session, sessionmaker
from twilio.request_validator import RequestValidator

from api.app import create_app
from api.settings import Settings
from devices.identity import enrol
from devices.ingest import Ingest
from evm.domain.policy import Policy
from evm.store import evidence, ingest_state, people
from evm.store.people import DeviceRow
from tests import factories
from tests.api import town
from tests.api.conftest import BASE, Clock, TestClient
from tests.devices import wire
from tests.factories import PROVIDER

TOKEN = "0123456789abcdef0123456789abcdef"
VOICE = "/v1/telephony/voice"
CALL = {"CallSid": "CA" + "a1" * 16, "From": "+441614960201", "To": "+441614960301", "CallStatus": "ringing"}


@pytest.fixture
def client(sessions: sessionmaker[Session], clock: Clock) -> Iterator[TestClient]:
    """A site that takes events, over one customer with a line, one worker with a number, and two phones."""
    clock.at = factories.NINE + timedelta(seconds=5)
    numbers = iter(f"challenge-{number}" for number in range(1000))
    ingest = Ingest(sessions=sessions, clock=clock, policy=Policy(), new_challenge=lambda: next(numbers))
    settings = Settings(public_url="https://care.example.org", telephony_auth_token=TOKEN)
    with sessions.begin() as session:
        factories.seed(
            session,
            customers=[factories.customer("c1", landlines=("+441614960201",))],
            workers=[factories.worker("w1", dialled_number="+441614960301"), factories.worker("w2")],
            devices=[],
        )
        for device, worker in (("p1", "w1"), ("p2", "w2")):
            enrol(
                session,
                provider=PROVIDER,
                device=device,
                device_type="popback_v1",
                worker=worker,
                now=clock(),
                password=f"secret-{device}",
            )
    app = create_app(sessions=sessions, ingest=ingest, clock=clock, settings=settings)
    with TestClient(app, base_url=BASE, raise_server_exceptions=False) as client:
        yield client


def send(client: TestClient, *envelopes: dict[str, Any], device: str = "p1", password: str | None = None) -> Any:
    body: Any = list(envelopes) if len(envelopes) != 1 else envelopes[0]
    return client.post("/v1/events", json=body, auth=(f"{PROVIDER}.{device}", password or f"secret-{device}"))


def envelope(**changes: Any) -> dict[str, Any]:
    return {"payload": json.dumps(wire.event(**changes))}


def stored(sessions: sessionmaker[Session]) -> int:
    with sessions() as session:
        return len(evidence.events(session))


def test_an_event_is_stored_and_its_receipt_is_the_answer(client: TestClient, sessions: sessionmaker[Session]) -> None:
    """Broken: a phone without MQTT would keep its events for ever."""
    first = envelope()
    answer = send(client, first)
    assert answer.status_code == 200
    assert len(answer.json()["stored"]) == 1
    assert answer.json()["challenge"]
    assert stored(sessions) == 1
    again = send(client, first)
    assert again.json()["stored"] == answer.json()["stored"], "the original receipt again"
    assert stored(sessions) == 1


def test_many_envelopes_get_one_receipt_with_what_was_refused_beside(
    client: TestClient, sessions: sessionmaker[Session]
) -> None:
    """Broken: one bad event would keep the good ones from being stored."""
    answer = send(client, envelope(), {"payload": "{"}, envelope(), envelope(device="p2"))
    assert answer.status_code == 200
    assert len(answer.json()["stored"]) == 2
    assert {item["reason"] for item in answer.json()["refused"]} == {"SYNTAX", "TOPIC"}
    assert stored(sessions) == 2


def test_a_device_is_known_by_its_own_credential_only(client: TestClient, sessions: sessionmaker[Session]) -> None:
    """Broken: anybody, or another device, could check a care worker in."""
    assert send(client, envelope(), password="wrong").status_code == 401
    assert send(client, envelope(), device="p2", password="secret-p1").status_code == 401
    assert client.post("/v1/events", json=envelope()).status_code == 401
    for header in ("Basic", "Basic !!!", "Basic " + "A" * 5000, "Bearer x", "Basic //79"):
        answer = client.post("/v1/events", json=envelope(), headers={"authorization": header})
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"].startswith("Basic")
    assert stored(sessions) == 0


def test_a_revoked_device_is_refused_at_once(client: TestClient, sessions: sessionmaker[Session], clock: Clock) -> None:
    """Broken: a stolen phone would go on checking in."""
    with sessions.begin() as session:
        people.revoke_device(session, provider=PROVIDER, device="p1", now=clock())
    assert send(client, envelope()).status_code == 401
    assert stored(sessions) == 0


def test_a_body_naming_another_device_is_refused_and_kept(client: TestClient, sessions: sessionmaker[Session]) -> None:
    """Broken: one device could speak for another (bad-input 17)."""
    answer = send(client, envelope(device="p1"), device="p2")
    assert answer.json()["refused"]
    assert stored(sessions) == 0
    with sessions() as session:
        assert ingest_state.quarantined(session)[0].security


@pytest.mark.parametrize("body", ["[]", "[" + ",".join(["{}"] * 51) + "]"])
def test_no_envelope_or_too_many_are_422(client: TestClient, body: str) -> None:
    """Broken: one request could hold a batch without end."""
    answer = client.post(
        "/v1/events", content=body, headers={"content-type": "application/json"}, auth=(f"{PROVIDER}.p1", "secret-p1")
    )
    assert answer.status_code == 422


@pytest.mark.parametrize("body", ['"x"', "1", "null", "[1]", '[["a"]]', "{}", '{"payload":1}'])
def test_json_that_is_no_envelope_is_refused_in_the_receipt(
    client: TestClient, body: str, sessions: sessionmaker[Session]
) -> None:
    """Broken: a phone with a bug would get an error of ours instead of hearing what is wrong."""
    answer = client.post(
        "/v1/events", content=body, headers={"content-type": "application/json"}, auth=(f"{PROVIDER}.p1", "secret-p1")
    )
    assert answer.status_code in {200, 422}
    assert stored(sessions) == 0


def test_a_site_without_ingest_says_so(sessions: sessionmaker[Session], clock: Clock, client: TestClient) -> None:
    """Broken: events sent to a process that takes none would seem to be taken."""
    app = create_app(sessions=sessions, ingest=None, clock=clock, settings=Settings())
    other = TestClient(app, base_url=BASE)
    assert send(other, envelope()).status_code == 503


def call(
    client: TestClient,
    form: dict[str, str] | None = None,
    *,
    url: str = "https://care.example.org" + VOICE,
    token: str = TOKEN,
    **headers: str,
) -> Any:
    fields = CALL if form is None else form
    signature = RequestValidator(token).compute_signature(url, fields)
    return client.post(VOICE, data=fields, headers={"x-twilio-signature": signature, **headers})


def test_a_signed_call_checks_the_worker_in(client: TestClient, sessions: sessionmaker[Session]) -> None:
    """Broken: care workers without a phone of their own could not prove their visits."""
    answer = call(client)
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("application/xml")
    assert "<Reject" in answer.text, "an unanswered call costs the caller nothing"
    with sessions() as session:
        event = evidence.events(session)[0].evidence
    assert (event.kind.value, event.worker, event.customer) == ("check_in", "w1", "c1")
    assert (event.grade_time.value, event.grade_place.value) == ("A", "B")


def test_row_96_a_wrong_or_absent_signature_is_403_and_nothing_is_stored(
    client: TestClient, sessions: sessionmaker[Session]
) -> None:
    """Broken: anybody who knows the address could check anybody in."""
    assert call(client, token="another token").status_code == 403
    assert client.post(VOICE, data=CALL).status_code == 403
    assert client.post(VOICE, data=CALL, headers={"x-twilio-signature": "x"}).status_code == 403
    assert (
        client.post(
            VOICE, content=b"%ff%fe=1", headers={"content-type": "application/x-www-form-urlencoded"}
        ).status_code
        == 403
    )
    changed = RequestValidator(TOKEN).compute_signature("https://care.example.org" + VOICE, CALL)
    assert (
        client.post(VOICE, data={**CALL, "From": "+441614960299"}, headers={"x-twilio-signature": changed}).status_code
        == 403
    )
    assert stored(sessions) == 0
    with sessions() as session:
        assert ingest_state.quarantined(session) == ()


def test_row_97_a_replayed_call_is_one_event(client: TestClient, sessions: sessionmaker[Session], clock: Clock) -> None:
    """Broken: the gateway's own retry would check the worker out."""
    assert call(client).status_code == 200
    clock.move(seconds=30)
    assert call(client).status_code == 200
    assert stored(sessions) == 1


def test_row_98_the_signature_is_checked_against_the_configured_address(
    client: TestClient, sessions: sessionmaker[Session]
) -> None:
    """Broken: behind a proxy that rewrites Host every call would be refused, or a forged Host would choose what is checked."""
    assert call(client, host="internal:8080").status_code == 200
    assert call(client, url=f"{BASE}{VOICE}").status_code == 403
    assert call(client, url=f"http://internal:8080{VOICE}", host="internal:8080").status_code == 403
    assert stored(sessions) == 1


def test_without_a_token_every_call_is_refused(
    sessions: sessionmaker[Session], clock: Clock, client: TestClient
) -> None:
    """Broken: an unconfigured webhook would be open."""
    app = create_app(
        sessions=sessions, ingest=None, clock=clock, settings=Settings(public_url="https://care.example.org")
    )
    assert call(TestClient(app, base_url=BASE), token="").status_code == 403


def test_a_call_that_is_not_understood_is_kept_and_the_caller_is_told(
    client: TestClient, sessions: sessionmaker[Session]
) -> None:
    """Broken: a worker would believe to have checked in."""
    answer = call(client, {**CALL, "CallSid": "nonsense"})
    assert answer.status_code == 200
    assert "ring your branch" in answer.text
    assert stored(sessions) == 0
    with sessions() as session:
        assert len(ingest_state.quarantined(session)) == 1


def test_what_came_by_http_stands_on_the_visits_page(
    client: TestClient, sessions: sessionmaker[Session], clock: Clock
) -> None:
    """Broken: evidence would be stored and never seen."""
    from evm.services import reconcile
    from evm.store import accounts, plans

    with sessions.begin() as session:
        plans.add_planned_visits(session, visits=[factories.planned_visit("v1")])
        accounts.add_accounts(session, new=[town.account("branch", town.ROLES["branch"])])
    send(client, envelope())
    with sessions.begin() as session:
        reconcile.run_pending(session, now=clock(), policy=Policy())
    clock.move(minutes=1)
    page = client.get("/visits", headers={"cookie": f"__Host-popback={_token(client)}"}).text
    assert "Under way" in page
    assert "09:00 to" in page


def _token(client: TestClient) -> str:
    """The session's token; this client speaks plain HTTP and would not send the cookie back by itself."""
    answer = client.post(
        "/sign-in", data={"email": town.email("branch"), "password": town.PASSWORD}, follow_redirects=False
    )
    return str(answer.headers["set-cookie"].split("=", 1)[1].split(";")[0])


def test_the_device_row_is_what_identity_verified(client: TestClient, sessions: sessionmaker[Session]) -> None:
    """Broken: a check-in by HTTP would be graded as another channel's or lose its device."""
    send(client, envelope())
    with sessions() as session:
        row = people.device(session, provider=PROVIDER, device="p1")
        event = evidence.events(session)[0].evidence
    assert isinstance(row, DeviceRow)
    assert (event.device, event.provider, event.worker) == (row.device, row.provider, row.worker)
