"""The page of devices: who is silent, whose clock is wrong, and that each branch sees its own."""

from datetime import timedelta

import pytest
from sqlalchemy.orm import Session, sessionmaker

from api.pages.devices import clock_said
from evm.domain.ids import DeviceId
from evm.store import ingest_state, people
from evm.store.ingest_state import Progress
from tests import factories
from tests.api import town
from tests.api.conftest import Reader
from tests.api.test_pages import text_of


@pytest.fixture
def enrolled(sessions: sessionmaker[Session], there: town.Town) -> None:
    """A connected phone that is fast, one that fell silent, one never heard of, one revoked, and one of another agency."""
    with sessions.begin() as session:
        devices = [factories.device(name, worker=None) for name in ("d-fast", "d-silent", "d-new", "d-gone")]
        other = factories.device("d-foreign", provider="other-care", worker="w9")
        people.add_devices(session, devices=[*devices, other, factories.device("d-w1")])
        people.revoke_device(session, provider=factories.PROVIDER, device=devices[3].device, now=town.NOON)
        heard = {
            "d-fast": (town.NOON, "online", 90.0),
            "d-silent": (town.NOON - timedelta(days=1), "offline", -0.4),
            "d-gone": (town.NOON - timedelta(days=9), "online", None),
            "d-w1": (town.NOON, None, None),
        }
        progress = {
            (factories.PROVIDER, DeviceId(device)): Progress(
                contiguous_sequence=0, highest_sequence=0, last_received_at=at, status=status, offset_seconds=offset
            )
            for device, (at, status, offset) in heard.items()
        }
        ingest_state.set_progress(session, progress=progress, known=())


@pytest.mark.usefixtures("enrolled")
def test_the_silent_come_first_and_each_says_how_it_stands(visitor: Reader) -> None:
    """Broken: a phone that died would be noticed when visits are missed, or a revoked one would seem to work."""
    page = text_of(visitor("branch").get("/devices").text)
    order = [page.index(name) for name in ("d-new", "d-silent", "d-fast", "d-w1", "d-gone")]
    assert order == sorted(order)
    assert "! Never heard of enrolled" in page
    assert "○ Not connected Sunday 1 November 2026, 12:00 GMT right" in page
    assert "● Connected Monday 2 November 2026, 12:00 GMT 1 min fast" in page
    assert "? Connection not known" in page
    assert "✗ Revoked" in page


@pytest.mark.usefixtures("enrolled")
def test_a_branch_sees_its_own_devices_only(visitor: Reader) -> None:
    """Broken: one agency would read who carries another's phones; a branch of one locality those of the next."""
    assert "d-foreign" not in visitor("branch").get("/devices").text
    assert "d-foreign" in visitor("otherbranch").get("/devices").text
    assert "d-w1" not in visitor("localbranch").get("/devices").text
    assert "No device is enrolled yet" in visitor("lost").get("/devices").text
    assert "This page lies past the last" in visitor("branch").get("/devices?page=9").text


@pytest.mark.parametrize(
    "offset, said", [(None, "not known"), (0.9, "right"), (-0.2, "right"), (61.4, "1 min fast"), (-5.0, "5 s slow")]
)
def test_a_clock_is_said_to_be_fast_or_slow(offset: float | None, said: str) -> None:
    """Broken: a sign the wrong way round would have somebody set a right clock wrong."""
    assert clock_said(offset) == said
