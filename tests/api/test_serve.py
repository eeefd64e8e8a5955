"""The server as one process: starts on free ports, takes an event from a phone on the command line, ends when told."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any, get_args

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session, sessionmaker

from api import serve, server
from api.parts import Parts, open_parts
from api.pulse import ToldToEnd
from api.settings import Settings
from api.tour import plan_tour
from devices.ingest import Ingest
from tests import factories

ROOT = Path(__file__).parent.parent.parent


def _popback(*arguments: str, cwd: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "api.cli", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _said(process: subprocess.Popen[str], pattern: str) -> re.Match[str]:
    """Reads standard error until a line matches; fails when the process ends first."""
    assert process.stderr is not None
    lines = []
    for line in process.stderr:
        lines.append(line)
        if found := re.search(pattern, line):
            return found
    pytest.fail(f"the process ended without saying {pattern}: {''.join(lines)}")


@pytest.mark.slow
def test_a_visit_can_be_followed_from_a_phone_on_the_command_line_to_stored_evidence(tmp_path: Path) -> None:
    """Broken when the README's tour is: the server does not come up, the phone gets no receipt, or SIGTERM does not end it cleanly."""
    data = tmp_path / "data"
    server = _popback("serve", "all", "--data", str(data), "--port", "0", "--broker-port", "0", cwd=tmp_path)
    try:
        found = _said(server, r"site (http://\S+)  broker (\S+):(\d+)")
        with urllib.request.urlopen(found[1] + "/health", timeout=10) as answer:
            assert answer.status == 200
        parts = open_parts(data=data)
        with parts.sessions.begin() as session:
            factories.seed(session)
        carried = plan_tour(parts, host=found[2], port=int(found[3]), directory=tmp_path / "phone")
        for kind in ("check-in", "check-out"):
            phone = _popback("phone", kind, "--phone", str(tmp_path / "phone"), "--json", cwd=tmp_path)
            out, err = phone.communicate(timeout=60)
            assert phone.returncode == 0, err
            assert json.loads(out)["state"] == "received"
        with parts.sessions() as session:
            rows = session.execute(
                text("select kind, visit_id, grade_time, grade_place from evidence order by log_index")
            ).all()
        assert [tuple(row) for row in rows] == [("check_in", "v-tour", "A", "A"), ("check_out", "v-tour", "A", "A")]
        assert carried.visit == "v-tour"
    finally:
        server.send_signal(signal.SIGTERM)
        _, rest = server.communicate(timeout=30)
    assert server.returncode == 0
    assert "Traceback" not in rest


@pytest.mark.slow
def test_a_second_server_on_the_same_port_ends_in_one_sentence(tmp_path: Path) -> None:
    """Broken when a taken port ends in a traceback, in two messages, or in a process that hangs with half its parts started."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        for arguments in (
            ("serve", "all", "--port", port, "--broker-port", "0"),
            ("serve", "api", "--port", port),
            ("serve", "all", "--port", "0", "--broker-port", port),
            ("serve", "watch", "--health-port", port),
        ):
            second = _popback(*arguments, "--data", "data", cwd=tmp_path)
            _, said = second.communicate(timeout=60)
            assert second.returncode == 1
            assert len(said.splitlines()) == 1
            assert said.startswith("popback: ")
            assert port in said


@pytest.mark.slow
def test_ingest_says_that_no_broker_answers(tmp_path: Path) -> None:
    """Broken when ingest pointed at a broker that is down, or that does not know it, looks as if all were well."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        ingest = _popback("serve", "ingest", "--broker", address, "--data", "data", cwd=tmp_path)
        try:
            assert _said(ingest, rf"no broker answers ingest at {address}")
        finally:
            ingest.send_signal(signal.SIGTERM)
            ingest.communicate(timeout=30)
    assert ingest.returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize("part", ["ingest", "watch", "notify", "work"])
def test_each_part_says_how_it_fares_and_ends_when_told(tmp_path: Path, part: str) -> None:
    """Broken when a part apart does not come up, cannot be asked, or has to be killed at every restart."""
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        broker = f"127.0.0.1:{silent.getsockname()[1]}"
        process = _popback("serve", part, "--broker", broker, "--data", "data", "--health-port", "0", cwd=tmp_path)
        try:
            url = _said(process, r"health (http://\S+)")[1]
            with urllib.request.urlopen(url + "/health/live", timeout=10) as answer:
                assert answer.status == 200
            with urllib.request.urlopen(url + "/metrics", timeout=10) as answer:
                assert f'popback_beats{{pulse="{part}"}}' in answer.read().decode()
            if part == "ingest":
                with pytest.raises(urllib.error.HTTPError, match="503"):
                    urllib.request.urlopen(url + "/health/ready", timeout=10)
        finally:
            process.send_signal(signal.SIGTERM)
            _, rest = process.communicate(timeout=30)
    assert process.returncode == 0
    assert "Traceback" not in rest


def test_fault_9_a_part_that_has_hung_ends_for_its_supervisor_to_start_it_anew() -> None:
    """Broken when a process whose threads are dead goes on for ever, looking alive."""
    assert serve._wait(ToldToEnd(), hung=lambda: True) == 1
    told = ToldToEnd()
    told.tell()
    assert serve._wait(told, hung=lambda: True) == 0, "told to end is no failure"


_TOLD_AT_EVERY_INSTANT = """
import faulthandler, signal, sys
from api import serve
from api.pulse import ToldToEnd

faulthandler.dump_traceback_later(20, exit=True)

class Hasty(ToldToEnd):
    def wait(self, seconds):
        return super().wait(0.001)

for instant in range(1, 300):
    told, passed = Hasty().listen(), 0

    def trace(frame, event, argument):
        global passed
        frame.f_trace_opcodes = True
        passed += 1
        if passed == instant:
            signal.raise_signal(signal.SIGTERM)
        return trace

    sys.settrace(trace)
    code = serve._wait(told, hung=lambda: False)
    sys.settrace(None)
    assert code == 0, instant
"""


def test_a_process_ends_at_whatever_instant_it_is_told(tmp_path: Path) -> None:
    """Broken when SIGTERM, coming at one of the moments in which the waiting thread holds a lock of its own, makes it wait for ever."""
    done = subprocess.run(
        [sys.executable, "-c", _TOLD_AT_EVERY_INSTANT],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.database("postgresql")
@pytest.mark.parametrize("part", ["api", "all"])
def test_only_pages_may_stand_still_for_minutes(
    part: serve.Part, database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken when a frozen site holds a phone's line or a customer for ten minutes: no event of that phone is stored, no deadline judged."""
    limits: dict[str, str] = {}

    def look(name: str, sessions: sessionmaker[Session]) -> None:
        with sessions() as session:
            limits[name] = session.execute(text("SHOW idle_in_transaction_session_timeout")).scalar_one()

    class Site:
        url, port, scheme = "http://127.0.0.1:1", 1, "http"

        def start(self) -> None: ...
        def stop(self) -> None: ...

    def make_site(parts: Parts, _settings: Settings, *, ingest: Ingest, **_places: Any) -> Site:
        look("pages", parts.sessions)
        look("all else", ingest._sessions)
        return Site()

    class Client(Site):
        publish = None

        def start(self, *, timeout_seconds: float = 0) -> bool:  # type: ignore[override]
            return True

    monkeypatch.setattr(ToldToEnd, "listen", lambda self: self)
    monkeypatch.setattr(serve, "_wait", lambda _told, hung: 0)
    monkeypatch.setattr(serve, "make_site", make_site)
    monkeypatch.setattr(server, "make_site", make_site)
    monkeypatch.setattr(server, "ingest_client", lambda *_, **__: Client())
    monkeypatch.setattr(server, "pulses_of_all", lambda *_, **__: Client())
    code = serve.run_part(
        part=part,
        data=tmp_path,
        database=database_url,
        broker="127.0.0.1:1",
        places=serve.Places(),
        name="ingest-1",
    )
    assert (code, limits) == (0, {"pages": "10min", "all else": "30s"})


def test_what_does_not_end_in_time_is_left(tmp_path: Path) -> None:
    """Broken when a database that has gone silent keeps a process from ending: the supervisor would kill it, and call it failed."""
    program = "from api import serve; serve.STOP_SECONDS_MAX = 0.2; import time; serve._stop_in_time(lambda: time.sleep(60), 0)"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=30,
    )
    assert done.returncode == 0
    assert "did not end in time" in done.stdout + done.stderr


def test_where_to_listen_is_refused_in_a_sentence_when_it_cannot_be(tmp_path: Path) -> None:
    """Broken when a certificate that is missing, or a key without one, starts a site that nobody can reach, or ends in a traceback."""
    (tmp_path / "half.pem").write_text("no certificate")
    for arguments, words in (
        (("--tls-cert", "half.pem"), "go together"),
        (("--tls-cert", "half.pem", "--tls-key", "half.pem"), "certificate"),
        (("--tls-cert", "none.pem", "--tls-key", "none.pem"), "certificate"),
        (("--host", "203.0.113.7"), "--host"),
    ):
        process = _popback("serve", "api", "--port", "0", "--data", "data", *arguments, cwd=tmp_path)
        _, said = process.communicate(timeout=60)
        assert process.returncode in (1, 2)
        assert "Traceback" not in said
        assert words in said


def test_every_part_stands_in_the_reference_with_what_is_missing_without_it() -> None:
    """Broken when a part can be started that no page explains, or a page names one that cannot."""
    page = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")
    table = page.split("## Processes")[1].split("\n## ")[0]
    assert set(re.findall(r"^\| `(\w+)` \|", table, re.MULTILINE)) == set(get_args(serve.Part)) - {"all"}
