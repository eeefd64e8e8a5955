"""A process that dies while it takes a file in leaves nothing of it, and its page says so."""

import os
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy.orm import Session, sessionmaker

from api.import_desk import INTERRUPTED, sweep_leftovers
from evm.store import uploads
from tests.api.conftest import Clock, Reader
from tests.api.test_import_pages import names, patient, upload

__all__ = ["patient"]
ROOT = Path(__file__).parents[2]
DIES = """
import os, sys
from datetime import datetime
from api.import_desk import ImportDesk
from evm.domain.policy import Policy
from evm.store import uploads
from evm.store.database import open_engine, session_factory

url, upload_id, now = sys.argv[1:]
uploads.end = lambda *words, **named: os._exit(9)  # every row is written, nothing is committed
desk = ImportDesk(
    sessions=session_factory(open_engine(url=url)), clock=lambda: datetime.fromisoformat(now), policy=Policy(), name="dying"
)
desk.submit(upload_id=upload_id, who="Somebody")
desk.wait(upload_id=upload_id, seconds=30)
"""


def test_a_process_killed_between_the_last_row_and_the_commit_leaves_nothing(
    visitor: Reader, sessions: sessionmaker[Session], database_url: str, clock: Clock
) -> None:
    """Broken: some people of a file would be there, and nobody could say which."""
    client = visitor("branch")
    page = upload(client)
    name = page.url.path[-32:]
    with sessions.begin() as session:
        assert uploads.start_taking(session, upload_id=name, worker="dying", now=clock())
    dead = subprocess.run(
        [sys.executable, "-c", DIES, database_url, name, clock().isoformat()],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert dead.returncode == 9, dead.stderr.decode()
    assert "Nora New" not in names(sessions)
    assert "is being taken in" in client.get(page.url.path).text
    clock.move(minutes=2)
    assert INTERRUPTED in client.get(page.url.path).text
    again = upload(client)
    assert "Nothing was taken in yet" in again.text


def test_what_a_killed_process_left_on_disk_is_swept_away_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken: people's data would lie in a temporary folder for ever; or one that is being worked in would be taken away."""
    monkeypatch.setattr(tempfile, "gettempdir", lambda: str(tmp_path))
    for name, at in (("popback-import-old", 0), ("popback-try-old", 0), ("popback-import-new", 10_000), ("other", 0)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "people.csv").write_text("secret")
        os.utime(tmp_path / name, (at, at))
    assert sweep_leftovers(before=datetime.fromtimestamp(5_000, UTC)) == 2
    assert sorted(each.name for each in tmp_path.iterdir()) == ["other", "popback-import-new"]
