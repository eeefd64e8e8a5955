"""Live alerts over a real server: several watchers, one look at the database, each only what is theirs."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
import uvicorn
from sqlalchemy import event
from sqlalchemy.orm import Session, sessionmaker

from api.app import create_app
from api.auth import token_hash
from api.settings import Settings
from evm.services import watch
from evm.store import accounts, alerts
from evm.store.alerts import NewAlert
from tests.api import town
from tests.api.conftest import Clock
from tests.factories import PROVIDER


class Live:
    """A running site and its watchers."""

    def __init__(self, *, sessions: sessionmaker[Session], clock: Clock) -> None:
        self.sessions, self.clock = sessions, clock
        self.app = create_app(sessions=sessions, ingest=None, clock=clock, settings=Settings())
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        config = uvicorn.Config(
            self.app, host="127.0.0.1", port=self.port, log_level="warning", ws="none", timeout_graceful_shutdown=1
        )
        self.server = uvicorn.Server(config)
        self.thread = threading.Thread(target=self.server.run, daemon=True)
        self.thread.start()
        while not self.server.started:
            assert self.thread.is_alive()
            time.sleep(0.01)

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(timeout=10)

    def raise_alert(self, key: str, *, customer: str = "c1", provider: str = PROVIDER) -> int:
        new = _help(key, self.clock(), customer=customer, provider=provider)
        with self.sessions.begin() as session:
            return alerts.add(session, alerts_=[new], now=self.clock())[key]

    @contextmanager
    def watching(self, who: str) -> Iterator[Iterator[tuple[str, Any]]]:
        """The events of one open page, as (name, content)."""
        token = f"token-of-{who}"
        with self.sessions.begin() as session:
            accounts.begin_session(
                session,
                token_sha256=token_hash(token),
                account_id=who,
                csrf_token="x" * 43,
                now=self.clock(),
                expires_at=self.clock() + timedelta(hours=12),
            )
        with httpx.stream(
            "GET", f"http://127.0.0.1:{self.port}/alerts/stream", cookies={"popback": token}, timeout=10
        ) as answer:
            assert answer.status_code == 200
            assert answer.headers["content-type"].startswith("text/event-stream")
            events = _events(answer)
            assert next(events)[0] == "alive"
            time.sleep(1.2)  # until the first look has noted where the history stands
            yield events


def _help(key: str, now: datetime, *, customer: str = "c1", provider: str = PROVIDER) -> NewAlert:
    return NewAlert(
        kind="assistance",
        key=key,
        provider=provider,
        customer=customer,
        risk="standard",
        due_at=now,
        words="Help.",
    )


def _events(answer: httpx.Response) -> Iterator[tuple[str, Any]]:
    name = ""
    for line in answer.iter_lines():
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


@pytest.fixture
def live(sessions: sessionmaker[Session], there: town.Town, clock: Clock) -> Iterator[Live]:
    site = Live(sessions=sessions, clock=clock)
    yield site
    site.stop()


def test_a_raised_alert_reaches_every_watcher_in_whose_scope_it_is(live: Live) -> None:
    """Broken: a safeguarding lead would look at a page on which nothing happens."""
    with live.watching("branch") as branch, live.watching("safeguarding") as lead, live.watching("admin") as admin:
        raised = live.raise_alert("help-1")
        for events in (branch, lead, admin):
            assert next(events) == ("alert", {"alert_id": raised, "act": "raised"})
        with live.sessions.begin() as session:
            watch.acknowledge(session, alert_id=raised, who="Lead", words="", now=live.clock())
        for events in (branch, lead, admin):
            assert next(events) == ("alert", {"alert_id": raised, "act": "acknowledged"})


@pytest.mark.database("postgresql")  # SQLite has one writer at a time
def test_an_alert_whose_watch_commits_later_than_a_newer_one_is_told_too(live: Live) -> None:
    """Broken: with two watch processes a page would never hear of the alert that the slower one raised."""
    with live.watching("branch") as events, live.sessions() as slow:
        late = alerts.add(slow, alerts_=[_help("slow", live.clock())], now=live.clock())["slow"]
        quick = live.raise_alert("quick")
        assert late < quick
        assert next(events) == ("alert", {"alert_id": quick, "act": "raised"})
        slow.commit()
        assert next(events) == ("alert", {"alert_id": late, "act": "raised"})


def test_row_59_a_watcher_hears_nothing_of_another_scope(live: Live) -> None:
    """Broken: another council's alerts would be told to whoever keeps a page open (bad-input 59)."""
    with live.watching("otherbranch") as other:
        live.raise_alert("not-theirs")
        theirs = live.raise_alert("theirs", customer="c9", provider="other-care")
        assert next(other) == ("alert", {"alert_id": theirs, "act": "raised"})


def test_a_stream_ends_when_its_session_ends(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken: whoever was signed out would go on watching."""
    import api.stream

    monkeypatch.setattr(api.stream, "PING_SECONDS", 0.2)
    with live.watching("branch") as events:
        with live.sessions.begin() as session:
            accounts.end_session(session, token_sha256=token_hash("token-of-branch"))
        assert "end" in {name for name, _ in events}


def test_a_busy_stream_ends_when_its_session_ends(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken: as long as alerts keep coming, whoever was signed out or moved to another council would go on being told of them."""
    import api.stream

    monkeypatch.setattr(api.stream, "PING_SECONDS", 1.5)
    with live.watching("branch") as events:
        with live.sessions.begin() as session:
            accounts.end_session(session, token_sha256=token_hash("token-of-branch"))
        names = []
        for number in range(40):
            live.raise_alert(f"busy-{number}")
            names.append(next(events)[0])
            if names[-1] == "end":
                break
    assert names[-1] == "end"
    assert "alive" not in names, "the stream was never quiet"


def test_the_database_is_looked_at_once_a_second_however_many_watch(live: Live) -> None:
    """Broken: fifty open pages would be fifty queries a second."""
    asked: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "alert_history.entry_id >" in statement:
            asked.append(statement)

    engine = live.sessions.kw["bind"]
    with live.watching("branch"), live.watching("safeguarding"), live.watching("admin"):
        event.listen(engine, "before_cursor_execute", note)
        time.sleep(3.2)
        event.remove(engine, "before_cursor_execute", note)
    assert 1 <= len(asked) <= 4


def test_nobody_watching_means_nobody_looking(live: Live) -> None:
    """Broken: a page closed long ago would keep the database busy, and its place would never be given back."""
    with live.watching("branch"):
        assert live.app.state.stream.watching == 1
    deadline = time.monotonic() + 10
    while live.app.state.stream.watching and time.monotonic() < deadline:
        live.raise_alert(f"wake-{time.monotonic_ns()}")
        time.sleep(0.3)
    assert live.app.state.stream.watching == 0


def test_a_database_that_stumbles_does_not_end_the_stream(live: Live) -> None:
    """Broken: one locked moment would leave every page stale for good."""
    from sqlalchemy.exc import OperationalError

    engine = live.sessions.kw["bind"]
    stumbled = threading.Event()

    def stumble(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
        if "alert_history.entry_id >" in statement and not stumbled.is_set():
            stumbled.set()
            raise OperationalError("locked", None, Exception("locked"))

    with live.watching("branch") as events:
        event.listen(engine, "before_cursor_execute", stumble)
        assert stumbled.wait(5)
        event.remove(engine, "before_cursor_execute", stumble)
        raised = live.raise_alert("after")
        assert next(events) == ("alert", {"alert_id": raised, "act": "raised"})
