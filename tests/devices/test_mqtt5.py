"""What only MQTT 5 can do, on a real Mosquitto kept by files and by dynamic security: shared subscriptions among ingest processes, reasons,
sessions that end by themselves. What works over 3.1.1 as well: test_transports."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from devices import identity
from devices.mqtt import IngestClient
from devices.settings import IngestSettings
from evm.domain.evidence import EventKind
from tests.devices.brokers import PASSWORD, Site, enrol_all, eventually, need_plugin, now
from tests.devices.conftest import Town
from tests.devices.wire import envelope, event
from tests.factories import PROVIDER

pytestmark = pytest.mark.mosquitto
OWN = f"popback/v1/{PROVIDER}/p1"
NOT_AUTHORISED = "Not authorized"


@pytest.fixture(params=["files", "dynsec"])
def site(request: pytest.FixtureRequest, town: Town, tmp_path: Path) -> Iterator[Site]:
    need_plugin()
    enrol_all(town)
    with Site(kind="mosquitto", town=town, directory=tmp_path, by=request.param) as site:
        site.servers = (identity.server_credential(directory=tmp_path, name="ingest-2"),)
        site.start_broker()
        site.start_ingest()
        yield site


def second_ingest(site: Site, *, name: str = "ingest-2", session_seconds: int = 15) -> IngestClient:
    """One more ingest process of the same group."""
    assert site.ingest is not None
    client = IngestClient(
        host="127.0.0.1",
        port=site.port,
        client_id=name,
        password=identity.server_credential(directory=site.directory, name=name).password,
        ingest=site.ingest,
        share_group=identity.share_group(directory=site.directory),
        settings=IngestSettings(session_seconds=session_seconds),
    )
    assert client.start(timeout_seconds=20)
    return client


@dataclass
class Speaker:
    """A device that speaks MQTT 5, and keeps the reasons it was given."""

    site: Site
    published: list[str] = field(default_factory=list)
    granted: list[list[str]] = field(default_factory=list)
    delivered: list[str] = field(default_factory=list)

    def __enter__(self) -> Self:
        self.client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"{PROVIDER}.p1",
            protocol=paho.MQTTv5,
            reconnect_on_failure=False,
        )
        self.client.username_pw_set(f"{PROVIDER}.p1", PASSWORD)
        self.client.on_publish = lambda _c, _u, _mid, reason, _p: self.published.append(str(reason))
        self.client.on_subscribe = lambda _c, _u, _mid, reasons, _p: self.granted.append([str(one) for one in reasons])
        self.client.on_message = lambda _c, _u, message: self.delivered.append(message.topic)
        self.client.connect("127.0.0.1", self.site.port)
        self.client.loop_start()
        assert eventually(self.client.is_connected)
        return self

    def __exit__(self, *_: object) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def publish(self, topic: str = f"{OWN}/event", message: bytes | None = None, **properties: Any) -> None:
        held = Properties(PacketTypes.PUBLISH)
        for name, value in properties.items():
            setattr(held, name, value)
        said = message if message is not None else live()
        self.client.publish(topic, said, qos=1, properties=held)


def live(**changes: Any) -> bytes:
    return envelope(event(captured_at=now().isoformat(), **changes))


def test_two_ingest_processes_share_the_work_and_store_each_event_once(site: Site) -> None:
    """Broken if the second process is idle, or doubles what the first stores."""
    second = second_ingest(site)
    try:
        phones = [site.phone("p1", "w1"), site.phone("p2", "w2")]
        ids = [phone.record(EventKind.NOTE, words=str(number)) for phone in phones for number in range(60)]
        for phone in phones:
            phone.connect()
        assert all(phone.wait_receipts(timeout_seconds=20) for phone in phones)
        assert sorted(row.evidence.event_id for row in site.stored()) == sorted(ids)
        assert site.client is not None
        assert min(site.client.progress, second.progress) > 0
    finally:
        second.stop()


def test_row_33_a_publish_on_anothers_topic_is_told_not_authorised(site: Site) -> None:
    """Broken if MQTT 5 clients, too, are told 'success' for what nobody gets."""
    with Speaker(site) as device:
        device.publish()
        device.publish(f"popback/v1/{PROVIDER}/p2/event")
        device.publish(f"{OWN}/receipt")
        assert eventually(lambda: len(device.published) == 3)
        assert device.published[1:] == [NOT_AUTHORISED] * 2
        assert device.published[0] == "Success"
    assert eventually(lambda: len(site.stored()) == 1)


def test_row_34_a_foreign_subscription_is_refused_or_delivers_nothing(site: Site) -> None:
    """Broken if either way of keeping the rules lets a phone listen to others; only the plugin says so when it is asked."""
    with Speaker(site) as device:
        group = identity.share_group(directory=site.directory)
        wanted = [f"{OWN}/receipt", "#", f"popback/v1/{PROVIDER}/p2/receipt", f"$share/{group}/popback/v1/+/+/event"]
        for topic in wanted[:3] if site.by == "files" else wanted:
            device.client.subscribe(topic, 1)
        expected = 3 if site.by == "files" else 4
        assert eventually(lambda: len(device.granted) == expected)
        if site.by == "dynsec":
            assert device.granted == [["Granted QoS 1"], *[[NOT_AUTHORISED]] * 3]
        phone = site.phone("p2", "w2")
        phone.record(EventKind.HEARTBEAT)
        phone.connect()
        assert phone.wait_receipts(timeout_seconds=15)
        assert device.delivered == []


def test_what_an_mqtt_5_client_writes_beside_its_message_is_not_believed(site: Site) -> None:
    """Broken if user properties or a response topic make one device speak as another, or ingest speak where a device says."""
    claims = [("provider", "other"), ("device", "p2"), ("worker", "w2"), ("username", "ingest-1")]
    with Speaker(site) as device:
        device.publish(
            UserProperty=claims,
            ResponseTopic=f"popback/v1/{PROVIDER}/p2/run",
            CorrelationData=b"x",
            ContentType="application/json",
            MessageExpiryInterval=3600,
        )
        assert eventually(lambda: len(site.stored()) == 1)
    (row,) = site.stored()
    assert (row.evidence.device, row.evidence.worker, row.body["channel"]) == ("p1", "w1", "mqtt")


def test_a_restarted_ingest_gets_what_came_while_it_was_away(site: Site) -> None:
    """Broken if each deployment makes every phone wait for its re-sending."""
    with Speaker(site) as device:
        site.stop_ingest()
        for _ in range(20):
            device.publish()
        assert eventually(lambda: len(device.published) == 20)
        assert site.stored() == ()
        site.start_ingest()
        assert eventually(lambda: len(site.stored()) == 20)


def test_an_ingest_that_stays_away_is_soon_given_no_more(site: Site) -> None:
    """Broken if the broker keeps giving a dead process its share: every second event would wait for a phone's re-sending, for a week."""
    second = second_ingest(site, session_seconds=1)
    second.stop()
    with Speaker(site) as device:
        sent = 0

        def all_arrive() -> bool:
            nonlocal sent
            before = len(site.stored())
            for _ in range(6):
                device.publish()
            sent += 6
            assert eventually(lambda: len(device.published) == sent)
            return eventually(lambda: len(site.stored()) >= before + 6, seconds=1.0)

        assert eventually(all_arrive, seconds=25)
