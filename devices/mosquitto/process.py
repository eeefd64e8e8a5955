"""A Mosquitto of our own, for tests, benchmarks and faults: starts the program with the shipped configuration. In production the system
starts it. Not its files (devices.mosquitto)."""

import os
import secrets
import shutil
import socket
import subprocess
import time
from pathlib import Path
from typing import Final

from devices.mosquitto import CONF_FILE

LOG_FILE: Final = "mosquitto.log"
PORT_TAKEN: Final = "Address already in use"
START_SECONDS_MAX: Final = 10.0
_PLACES: Final = "/usr/local/sbin:/usr/sbin:/sbin:/opt/homebrew/sbin"


class MosquittoMissingError(RuntimeError):
    """The program is not on this machine."""


def program() -> str | None:
    """Where Mosquitto is, or None."""
    return shutil.which("mosquitto", path=os.pathsep.join((os.environ.get("PATH", ""), _PLACES)))


def free_port() -> int:
    """A port nobody listens on just now, below the range from which the system gives clients theirs.

    Within that range a client that dials while nobody listens may be given the very port it dials: it then talks to itself, and the
    server that comes back finds its port taken."""
    while True:
        port = 20_000 + secrets.randbelow(12_000)
        with socket.socket() as probe:
            try:
                probe.bind(
                    ("", port)
                )  # on every address, and strictly: a port that lingers from an earlier server is not free
            except OSError:
                continue
            return port


class MosquittoProcess:
    """Runs on the files that `devices.mosquitto.write_files` wrote into `directory` for `port`."""

    def __init__(self, *, directory: Path, port: int, host: str = "127.0.0.1") -> None:
        self.directory, self.host, self.port = directory, host, port
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start and wait until it listens. Raises `MosquittoMissingError`, or RuntimeError with what it said.

        A port that its last user has just let go of may be refused for a moment: it is tried again until time is up."""
        found = program()
        if found is None:
            raise MosquittoMissingError("the program mosquitto is not installed (apt install mosquitto)")
        give_up = time.monotonic() + START_SECONDS_MAX
        while self._is_taken(give_up) or not self._started(found, give_up):
            if time.monotonic() > give_up or PORT_TAKEN not in self._said():
                raise RuntimeError(f"mosquitto does not start: {self._said()}")
            time.sleep(0.2)

    def _is_taken(self, give_up: float) -> bool:
        """Whether somebody else listens there until time is up: ours would end at once, and theirs be taken for it."""
        while self._listens():
            if time.monotonic() > give_up:
                (self.directory / LOG_FILE).write_text(f"{PORT_TAKEN}: {self.host}:{self.port}\n", encoding="utf-8")
                return True
            time.sleep(0.05)
        return False

    def _started(self, found: str, give_up: float) -> bool:
        """Whether it listens; False when it ended, or did not listen in time and was ended."""
        with (self.directory / LOG_FILE).open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 -- our own arguments
                [found, "-c", str(self.directory / CONF_FILE)], stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        while self._process.poll() is None and time.monotonic() < give_up:
            if self._listens():
                time.sleep(0.02)
                if self._process.poll() is None:  # else somebody else listens there
                    return True
            time.sleep(0.01)
        self.kill()
        return False

    def _said(self) -> str:
        return (self.directory / LOG_FILE).read_text(encoding="utf-8", errors="replace")[-2000:]

    def stop(self) -> None:
        """Ask it to end and wait."""
        if self._process is not None:
            self._process.terminate()
            self._process.wait(timeout=10)
            self._process = None

    def kill(self) -> None:
        """SIGKILL, as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=10)
            self._process = None

    def _listens(self) -> bool:
        with socket.socket() as probe:
            probe.settimeout(1.0)
            return probe.connect_ex((self.host, self.port)) == 0
