"""A phone on a bad line (faults 21 to 23), over both brokers: slow, cut, half-open, gone. It loses and doubles nothing."""

import os
import random
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from devices.mosquitto import placing
from devices.phone import link
from evm.domain.evidence import EventKind
from simulations.bad_line import BadLine
from tests.devices.brokers import KINDS, Site, enrol_all, eventually, need_mosquitto
from tests.devices.conftest import Town


@pytest.fixture(params=KINDS)
def site(request: pytest.FixtureRequest, town: Town, tmp_path: Path) -> Iterator[Site]:
    if request.param == "mosquitto":
        need_mosquitto()
    enrol_all(town)
    with Site(kind=request.param, town=town, directory=tmp_path) as site:
        site.start_broker()
        site.start_ingest()
        yield site


def line(site: Site, *, seed: int = 1, delay_seconds: float = 0.0, cut_share: float = 0.0) -> BadLine:
    return BadLine(
        to=("127.0.0.1", site.port), rng=random.Random(seed), delay_seconds=delay_seconds, cut_share=cut_share
    )


def test_fault_22_a_line_that_is_slow_and_cut_again_and_again_loses_and_doubles_nothing(site: Site) -> None:
    """Broken if a valley with two bars of signal loses a check-in, or pays it twice."""
    with line(site, delay_seconds=0.02, cut_share=0.07) as bad:
        phone = site.phone(port=bad.port, backoff_seconds_max=0.3)
        ids = []
        phone.connect()
        for number in range(40):
            ids.append(phone.record(EventKind.NOTE, words=str(number)))
            if number % 10 == 0:
                assert eventually(lambda: phone.connected, seconds=30)
        assert phone.wait_receipts(timeout_seconds=60), phone.problem
        assert bad.cuts > 0
        phone.close()
        site.phones.clear()
    assert sorted(row.evidence.event_id for row in site.stored()) == sorted(ids)


def test_fault_23_a_half_open_line_is_noticed_and_given_up(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken if a phone believes a dead connection for good: the worker's screen would say 'saved on phone' all day."""
    monkeypatch.setattr(link, "KEEPALIVE_SECONDS", 1)
    with line(site) as bad:
        phone = site.phone(port=bad.port)
        phone.connect()
        assert phone.wait_connected(timeout_seconds=15)
        bad.frozen = True
        ids = {phone.record(EventKind.NOTE, words=str(number)) for number in range(5)}
        assert eventually(lambda: not phone.connected, seconds=15)
        assert "answers no more" in (phone.problem or "")
        assert phone.outbox_size == 5
        bad.down = True
        bad.frozen = False
        assert eventually(lambda: bad.connections > 0)
        bad.down = False
        assert phone.wait_receipts(timeout_seconds=30), phone.problem
        phone.close()
        site.phones.clear()
    assert {row.evidence.event_id for row in site.stored()} == ids


def test_fault_21_a_line_that_comes_back_is_used_again(site: Site) -> None:
    """Broken if a phone that was cut off needs the worker to do something."""
    with line(site) as bad:
        phone = site.phone(port=bad.port)
        phone.connect()
        assert phone.wait_connected(timeout_seconds=15)
        bad.down = True
        assert eventually(lambda: not phone.connected)
        event_id = phone.record(EventKind.HEARTBEAT)
        assert eventually(lambda: phone._link.failures > 1)
        bad.down = False
        assert phone.wait_receipts(timeout_seconds=30), phone.problem
        phone.close()
        site.phones.clear()
    assert [row.evidence.event_id for row in site.stored()] == [event_id]


@pytest.mark.mosquitto
def test_fault_8_a_broker_that_hangs_is_given_up_and_used_again_when_it_goes_on(
    town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken if phones and ingest wait for ever for a broker that accepts connections and does nothing."""
    need_mosquitto()
    monkeypatch.setattr(link, "KEEPALIVE_SECONDS", 1)
    monkeypatch.setattr(link, "CONNECT_SECONDS_MAX", 1.0)
    enrol_all(town)
    with Site(kind="mosquitto", town=town, directory=tmp_path) as site:
        site.start_broker()
        site.start_ingest()
        phone = site.phone()
        phone.connect()
        assert phone.wait_connected(timeout_seconds=15)
        pid = placing.running_pid(tmp_path / "mosquitto")
        assert pid is not None
        os.kill(pid, signal.SIGSTOP)
        try:
            ids = [phone.record(EventKind.NOTE, words=str(number)) for number in range(20)]
            assert eventually(lambda: not phone.connected, seconds=15)
            assert phone.outbox_size == len(ids)
        finally:
            os.kill(pid, signal.SIGCONT)
        assert phone.wait_receipts(timeout_seconds=30), phone.problem
        assert sorted(row.evidence.event_id for row in site.stored()) == sorted(ids)
