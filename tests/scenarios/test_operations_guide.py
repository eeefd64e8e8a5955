"""The operations guide, followed to the letter: every `sh` block of docs/operations.md in one shell, in order, in an empty directory, against a
real Mosquitto and a real PostgreSQL. Nothing here does what the guide does not say, but two things: the program is installed already (it is
the one under test), and the ports are free ones."""

import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import make_url

from devices.mosquitto.process import free_port
from tests.api.test_backup import programs
from tests.databases import MakeDatabase
from tests.devices.brokers import need_mosquitto
from tests.devices.certificates import need_openssl

ROOT = Path(__file__).parent.parent.parent
GUIDE = ROOT / "docs" / "operations.md"
SECONDS_MAX = 900


def blocks(language: str) -> list[str]:
    """The guide's fenced blocks of this kind, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", GUIDE.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


@pytest.mark.database("postgresql")
@pytest.mark.mosquitto
def test_whoever_follows_the_guide_gets_a_site_a_phone_and_everything_back_after_a_fire(
    make_database: MakeDatabase, tmp_path: Path
) -> None:
    """Broken if a step of the guide does not work as written, or a machine restored by it lacks an event that a phone has a receipt for."""
    need_mosquitto()
    need_openssl()
    assert shutil.which("curl") is not None, "the guide needs curl (apt install curl)"
    owner = make_url(make_database(migrated=False))
    servers = owner if owner.password else owner.set(username="popback_app")
    postgresql = programs()
    path = [
        str(Path(sys.executable).parent),
        *([] if postgresql is None else [str(postgresql)]),
        os.environ["PATH"],
        "/usr/sbin",
    ]
    environment = {
        "PATH": os.pathsep.join(path),
        "HOME": str(tmp_path),
        "OWNER_DATABASE": owner.render_as_string(hide_password=False),
        "POPBACK_DATABASE": servers.render_as_string(hide_password=False),
        "SITE_PORT": str(free_port()),
        "MQTT_PORT": str(free_port()),
        "LOCAL_MQTT_PORT": str(free_port()),
    }
    script = tmp_path / "guide.sh"
    script.write_text("\n".join(blocks("sh")), encoding="utf-8")
    said = tmp_path / "said"
    with said.open("wb") as output:
        shell = subprocess.Popen(
            ["sh", "-eux", str(script)],
            cwd=tmp_path,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            code = shell.wait(timeout=SECONDS_MAX)
        finally:
            for number in (signal.SIGTERM, signal.SIGKILL):
                _end(shell.pid, number)
    words = said.read_text(encoding="utf-8", errors="replace")
    assert code == 0, words[-6000:]
    assert "Traceback" not in words
    assert words.count("received") >= 3  # check-in, check-out, note


def _end(group: int, number: signal.Signals) -> None:
    """Whatever the guide's shell started and left."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return


def test_the_guide_is_a_page() -> None:
    """Broken if the page that is read on a bad day grows into a book."""
    prose = re.sub(r"^```.*?^```$", "", GUIDE.read_text(encoding="utf-8"), flags=re.MULTILINE | re.DOTALL)
    assert len(prose.split()) < 900
