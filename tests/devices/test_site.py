"""Devices and the whole server together: what mosquitto_pub, a landline call and a phone without MQTT send stands on the page.
The same by hand, with its transcript: docs/real-input.md."""

import contextlib
import json
import random
import secrets
import subprocess
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr
from twilio.request_validator import RequestValidator

from api.auth import token_hash
from api.parts import open_parts
from api.serve import Server
from api.settings import Settings
from devices import identity, mosquitto
from devices.mosquitto.process import MosquittoProcess, free_port
from devices.phone import Phone
from evm.domain.evidence import EventKind, Grade, Method
from evm.services import roster
from evm.store import accounts, evidence, ingest_state, plans
from evm.store.accounts import Account, Role
from evm.store.evidence import StoredEvent
from tests import factories
from tests.devices.brokers import KINDS, PASSWORD, enrol_all, eventually, need_mosquitto, now
from tests.devices.conftest import Town
from tests.devices.wire import envelope, event
from tests.factories import PROVIDER

PUBLIC_URL = "https://visits.example.org"
TOKEN = "twilio-auth-token"


class Running:
    """The whole server on the town's database."""

    def __init__(self, town: Town, directory: Path, *, outside_broker: tuple[str, int] | None = None) -> None:
        self.town = town
        self.parts = open_parts(
            data=directory / "data", database=town.sessions.kw["bind"].url.render_as_string(hide_password=False)
        )
        settings = Settings(public_url=PUBLIC_URL, telephony_auth_token=SecretStr(TOKEN))
        self.server = Server(parts=self.parts, settings=settings, outside_broker=outside_broker)

    def stored(self) -> tuple[StoredEvent, ...]:
        with self.town.sessions() as session:
            return evidence.events(session)

    def page(self, path: str) -> str:
        """A page as the branch's coordinator sees it."""
        token = secrets.token_urlsafe(32)
        with self.town.sessions.begin() as session:
            if accounts.account_of_email(session, email="office@example.org") is None:
                office = Account(
                    account_id="office",
                    email="office@example.org",
                    name="Office",
                    role=Role.BRANCH,
                    provider_id=PROVIDER,
                    password_hash="!",
                )
                accounts.add_accounts(session, new=[office])
            accounts.begin_session(
                session,
                token_sha256=token_hash(token),
                account_id="office",
                csrf_token=secrets.token_urlsafe(32),
                now=now(),
                expires_at=now() + timedelta(hours=1),
            )
        answer = httpx.get(self.server.site_url + path, headers={"cookie": f"__Host-popback={token}"}, timeout=20)
        assert answer.status_code == 200, answer.text[:500]
        return answer.text


def plan_now(town: Town, *customers: str) -> None:
    """A visit planned for now at each of these customers' homes."""
    start = now().replace(second=0, microsecond=0)
    planned = [factories.planned_visit(f"v-{name}", customer=name, start=start) for name in customers]
    with town.sessions.begin() as session:
        plans.add_planned_visits(session, visits=planned)
        roster.publish_deadlines(session, visits=planned, policy=town.ingest._policy)


@pytest.fixture(params=KINDS)
def running(request: pytest.FixtureRequest, town: Town, tmp_path: Path) -> Iterator[Running]:
    """The server on either broker: the embedded one in its own process, or a Mosquitto with the shipped configuration."""
    enrol_all(town)
    plan_now(town, "c1", "c2")
    with contextlib.ExitStack() as stack:
        if request.param == "embedded":
            running = Running(town, tmp_path)
        else:
            need_mosquitto()
            running = Running(town, tmp_path, outside_broker=("127.0.0.1", free_port()))
            broker = mosquitto_of(running, tmp_path / "mosquitto")
            stack.callback(broker.stop)
            broker.start()
        stack.callback(running.server.stop)
        running.server.start()
        yield running


def mosquitto_of(running: Running, directory: Path) -> MosquittoProcess:
    assert running.server.outside_broker is not None
    port = running.server.outside_broker[1]
    credential = identity.server_credential(directory=running.parts.secrets, name="ingest-1")
    with running.town.sessions() as session:
        mosquitto.write_files(session, directory=directory, servers=[credential], port=port)
    return MosquittoProcess(directory=directory, port=port)


def mosquitto_pub(running: Running, *, user: str, topic: str, message: bytes) -> None:
    host, port = running.server.broker_host, str(running.server.broker_port)
    command = ["mosquitto_pub", "-h", host, "-p", port, "-u", user, "-P", PASSWORD, "-i", user]
    subprocess.run([*command, "-q", "1", "-t", topic, "-s"], input=message, check=True, timeout=20, capture_output=True)


def transition(kind: str = "enter") -> bytes:
    said = {"_type": "transition", "event": kind, "desc": "c2", "lat": 53.459, "lon": -2.22, "acc": 9}
    return json.dumps(said | {"tst": int(now().timestamp())}).encode()


@pytest.mark.mosquitto
def test_owntracks_and_a_v1_envelope_by_mosquitto_pub_stand_on_the_page(running: Running) -> None:
    """Broken if a device that is not ours cannot check in with a few lines of shell."""
    need_mosquitto()  # its programs, whichever broker they speak to
    mosquitto_pub(running, user=f"{PROVIDER}.o1", topic=f"popback/v1/{PROVIDER}/o1/event", message=transition())
    message = envelope(event(captured_at=now().isoformat()))
    mosquitto_pub(running, user=f"{PROVIDER}.p1", topic=f"popback/v1/{PROVIDER}/p1/event", message=message)
    assert eventually(lambda: len(running.stored()) == 2)
    assert {(row.device_type, row.evidence.customer) for row in running.stored()} == {
        ("owntracks", "c2"),
        ("popback_v1", "c1"),
    }
    for visit, customer in (("v-c1", "Customer c1"), ("v-c2", "Customer c2")):
        assert eventually(lambda visit=visit: "check-in" in running.page(f"/visits/{visit}").lower())
        assert customer in running.page(f"/visits/{visit}")


@pytest.mark.mosquitto
def test_another_providers_credential_by_mosquitto_pub_stores_nothing(running: Running) -> None:
    """Broken if a competitor's credential can check anybody in, on their topic or on its own."""
    message = envelope(event(captured_at=now().isoformat()))
    mosquitto_pub(running, user="other.p1", topic=f"popback/v1/{PROVIDER}/p1/event", message=message)
    mosquitto_pub(running, user="other.p1", topic="popback/v1/other/p1/event", message=message)

    def kept() -> list[tuple[str | None, str, bool]]:
        with running.town.sessions() as session:
            return [(row.provider, row.reason, row.security) for row in ingest_state.quarantined(session)]

    assert eventually(lambda: kept() == [("other", "TOPIC", True)])
    assert running.stored() == ()


def call(
    running: Running, *, token: str = TOKEN, url: str = PUBLIC_URL, number: int = 1, **fields: str
) -> httpx.Response:
    form = {
        "AccountSid": "AC00000000000000000000000000000001",
        "CallSid": f"CA{number:032x}",
        "CallStatus": "ringing",
        "Direction": "inbound",
        "From": "+441614960001",
        "To": "+441614960101",
        **fields,
    }
    signature = RequestValidator(token).compute_signature(f"{url}/v1/telephony/voice", form)
    return httpx.post(
        running.server.site_url + "/v1/telephony/voice",
        data=form,
        headers={"x-twilio-signature": signature},
        timeout=20,
    )


def test_a_signed_call_from_a_landline_is_a_check_in_and_stands_on_the_page(running: Running) -> None:
    """Broken if a worker without a smartphone cannot be seen to have come."""
    answer = call(running)
    assert answer.status_code == 200
    assert "<Reject" in answer.text
    (row,) = running.stored()
    said = row.evidence
    assert (said.kind, said.customer, said.worker) == (EventKind.CHECK_IN, "c1", "w1")
    assert (said.grade_time, said.grade_place) == (Grade.A, Grade.B)
    assert eventually(lambda: "check-in" in running.page("/visits/v-c1").lower())


def test_row_97_the_same_call_again_is_answered_and_stored_once(running: Running) -> None:
    """Broken if the gateway's retry is an error or a second visit."""
    assert [call(running).status_code for _ in range(3)] == [200, 200, 200]
    assert len(running.stored()) == 1


@pytest.mark.parametrize(
    "forged", [{"token": "wrong"}, {"url": "http://127.0.0.1:8080"}, {"url": "https://visits.example.org.evil.example"}]
)
def test_row_96_a_wrongly_signed_call_is_403_and_stores_nothing(running: Running, forged: dict[str, str]) -> None:
    """Broken if anybody who knows the address can check workers in."""
    assert call(running, **forged).status_code == 403
    assert running.stored() == ()
    assert running.town.quarantined() == ()


def test_a_phone_whose_broker_is_out_of_reach_posts_its_events(running: Running, tmp_path: Path) -> None:
    """Broken if a network that blocks MQTT keeps a worker's whole day from us, or the second way makes second events."""
    phone = Phone(
        directory=tmp_path / "phone",
        provider=PROVIDER,
        device="p1",
        worker="w1",
        host="127.0.0.1",
        port=1,
        password=PASSWORD,
        clock=now,
        monotonic_ms=lambda: int(time.monotonic() * 1000),
        rng=random.Random(1),
        fallback_url=running.server.site_url,
        backoff_seconds_max=0.2,
    )
    ids = {phone.record(EventKind.NOTE, words=f"note {number}", customer="c1") for number in range(120)}
    ids.add(phone.record(EventKind.CHECK_IN, tag="tag-c1", method=Method.NFC))
    phone.connect()
    assert phone.wait_receipts(timeout_seconds=30)
    phone.close()
    rows = running.stored()
    assert {row.evidence.event_id for row in rows} == ids
    assert len(rows) == 121
    assert {row.body["channel"] for row in rows} == {"http"}


def test_a_call_to_a_shared_number_is_asked_for_a_pin_and_then_stored(running: Running) -> None:
    """Broken if workers without a number of their own cannot check in by telephone."""
    assert running.server.ingest is not None
    running.server.ingest._telephony_provider = PROVIDER
    asked = call(running, To="+441614960199")
    assert "<Gather" in asked.text
    assert running.stored() == ()
    thanked = call(running, To="+441614960199", Digits="4711")
    assert "recorded" in thanked.text
    assert running.stored()[0].evidence.worker == "w2"


def test_owntracks_housekeeping_by_http_is_answered_with_an_empty_receipt(running: Running) -> None:
    """Broken if a message without an event is an error of the server."""
    answer = httpx.post(
        running.server.site_url + "/v1/events",
        content=b'{"_type":"lwt","tst":1793610000}',
        headers={"content-type": "application/json"},
        auth=(f"{PROVIDER}.o1", PASSWORD),
        timeout=20,
    )
    assert (answer.status_code, answer.json()["stored"]) == (200, [])
