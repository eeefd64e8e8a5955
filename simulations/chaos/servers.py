"""The broker and the parts of `popback serve` as processes, to be killed and started again. Not who kills them and what is counted."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Final, Literal

from sqlalchemy.orm import Session, sessionmaker

from devices import identity, mosquitto
from devices.mosquitto.process import MosquittoProcess, free_port

BrokerKind = Literal["embedded", "mosquitto"]
BROKER: Final = "broker"
ROOT: Final = Path(__file__).resolve().parents[2]


class Servers:
    """Processes by name: "broker", or a part and a number ("ingest-1", "watch-2"). They share a data directory and a database."""

    def __init__(
        self,
        *,
        directory: Path,
        url: str,
        broker: BrokerKind,
        sessions: sessionmaker[Session],
        ingests: Collection[str] = ("ingest-1",),
        environment: Mapping[str, str] | None = None,
    ) -> None:
        self.port = free_port()
        self._directory, self._url = directory, url
        self._environment = {**_environment(), **(environment or {})}
        self._running: dict[str, subprocess.Popen[bytes]] = {}
        self._said_before: dict[str, int] = {}
        credentials = [identity.server_credential(directory=directory / "secrets", name=name) for name in ingests]
        self._mosquitto: MosquittoProcess | None = None
        if broker == "mosquitto":
            with sessions() as session:
                mosquitto.write_files(session, directory=directory / "mosquitto", servers=credentials, port=self.port)
            self._mosquitto = MosquittoProcess(directory=directory / "mosquitto", port=self.port)

    def start(self, name: str) -> None:
        """Start a process; it is ready when `is_ready`."""
        if name == BROKER and self._mosquitto is not None:
            self._mosquitto.start()
            return
        command = [sys.executable, "-m", "api.cli", "serve", *self._options(name)]
        places = ["--data", str(self._directory), "--database", self._url]
        self._said_before[name] = self.times_said(name)
        with self._log(name).open("ab") as log:
            self._running[name] = subprocess.Popen(  # noqa: S603 -- our own program and arguments
                [*command, *places],
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                cwd=ROOT,
                env=self._environment,
            )

    def is_ready(self, name: str) -> bool:
        """Whether it has come up since it was started."""
        if name == BROKER and self._mosquitto is not None:
            return True
        return self.times_said(name) > self._said_before.get(name, 0)

    def is_dead(self, name: str) -> bool:
        """Whether a process that was started has ended by itself."""
        return name in self._running and self._running[name].poll() is not None

    def kill(self, name: str) -> bool:
        """SIGKILL; False when it was dead already."""
        if name == BROKER and self._mosquitto is not None:
            self._mosquitto.kill()
            return True
        process = self._running.pop(name)
        alive = process.poll() is None
        process.kill()
        process.wait()
        return alive

    def freeze(self, name: str) -> None:
        """SIGSTOP: it stands still with whatever it holds, as on a machine that swaps or is being moved."""
        self._running[name].send_signal(signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        """SIGCONT: it goes on where it stood."""
        self._running[name].send_signal(signal.SIGCONT)

    def tell_to_end(self, name: str) -> None:
        """SIGTERM, as a supervisor does."""
        self._running[name].terminate()

    def exit_code(self, name: str, *, within_seconds: float) -> int | None:
        """How a process that was told to end has ended; None: it did not in time, and was killed: its log says where each thread stood."""
        process = self._running.pop(name)
        try:
            return process.wait(timeout=within_seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGABRT)  # faulthandler's
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(timeout=within_seconds)
            process.kill()
            process.wait()
            return None

    def stop(self) -> None:
        """Kill whatever is left."""
        for name in list(self._running):
            self.kill(name)
        if self._mosquitto is not None:
            self._mosquitto.kill()

    def log_text(self, name: str) -> str:
        """Everything a process has said, over all its lives."""
        return self._log(name).read_text(errors="replace") if self._log(name).exists() else ""

    def last_words(self) -> str:
        """The end of each process's log, for whoever has to find out why nothing moves."""
        logs = sorted(self._directory.glob("*.log"))
        return "\n".join(f"{log.name}: {log.read_text(errors='replace')[-800:]}" for log in logs)

    def times_said(self, name: str) -> int:
        """How often it has said that it is up."""
        part = name.partition("-")[0]
        return sum(line.startswith(f"popback: {part}") for line in self.log_text(name).splitlines())

    def _options(self, name: str) -> list[str]:
        part = name.partition("-")[0]
        if part == BROKER:
            return [part, "--broker-port", str(self.port)]
        if part == "ingest" and self._mosquitto is None:  # the embedded broker speaks no MQTT 5: ingest must know
            return [part, "--broker-port", str(self.port), "--name", name]
        if part == "ingest":
            return [part, "--broker", f"127.0.0.1:{self.port}", "--name", name]
        return [part]

    def _log(self, name: str) -> Path:
        return self._directory / f"{name}.log"


def _environment() -> dict[str, str]:
    """Our environment, with this checkout importable wherever the command was started."""
    path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH", ""))))
    return {**os.environ, "PYTHONPATH": path, "PYTHONFAULTHANDLER": "1"}
