"""`popback demo`: gives the simulation its server, prints what came of it, and keeps the site up. Not the simulation (simulations.run)."""

import json
import secrets
import signal
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final
from zoneinfo import ZoneInfo

from pydantic import SecretStr
from rich.console import Console
from rich.table import Table
from sqlalchemy.orm import Session, sessionmaker

from api.auth import hash_password
from api.commands.options import BrokerKind
from api.parts import Parts, open_parts
from api.serve import Server
from api.settings import Settings
from api.tour import PHONE_DIR, VISIT_ID, plan_tour
from devices import identity
from devices.ingest import Ingest
from devices.mosquitto import write_files
from devices.mosquitto.process import MosquittoProcess, free_port
from evm.domain.policy import Policy
from evm.gateways.notify import FileGateway
from evm.store import accounts, people
from evm.store.accounts import Account, Role
from simulations.clock import SimulatedClock
from simulations.run import challenges, demo_clock, run_demo

TELEPHONY_PATH: Final = "/v1/telephony/voice"
SIGN_IN_ROLES: Final = (Role.BRANCH, Role.COMMISSIONER, Role.SAFEGUARDING, Role.ADMIN)


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """The server as the simulation sees it."""

    server: Server
    clock: SimulatedClock
    telephony_token: str
    mosquitto: MosquittoProcess | None = None

    @property
    def sessions(self) -> sessionmaker[Session]:
        return self.server.parts.sessions

    @property
    def policy(self) -> Policy:
        return self.server.parts.policy

    @property
    def broker_host(self) -> str:
        return self.server.broker_host

    @property
    def broker_port(self) -> int:
        return self.server.broker_port

    @property
    def ingest(self) -> Ingest:
        assert self.server.ingest is not None
        return self.server.ingest

    @property
    def telephony_url(self) -> str | None:
        return self.server.settings.public_url + TELEPHONY_PATH

    def tell_broker(self) -> None:
        """Mosquitto reads the device table's files anew; the embedded broker reads the table itself."""
        if self.mosquitto is not None:
            _write_mosquitto(self.server.parts, self.mosquitto)

    def stop(self) -> None:
        """Server first: it still speaks to the broker."""
        self.server.stop()
        if self.mosquitto is not None:
            self.mosquitto.stop()


def play(
    *, seed: int, headless: bool, as_json: bool, port: int, database: str | None = None, broker: BrokerKind = "embedded"
) -> int:
    """Play the demo and print its figures; unless headless, then serve the site until told to stop. The process's exit code.

    `database` None: a fresh SQLite file; else the URL of an empty database, which keeps what the demo put there."""
    began = time.monotonic()
    signal.signal(
        signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM)
    )  # so that the temporary directory goes, too
    with tempfile.TemporaryDirectory(prefix="popback-demo-") as directory:
        try:
            if not headless:
                _make_phone_dir()
            stage = _stage(
                seed=seed, data=Path(directory), port=0 if headless else port, database=database, broker=broker
            )
        except (RuntimeError, ValueError, OSError) as error:
            sys.stderr.write(f"popback: {error}\n")
            return 1
        try:
            result: dict[str, Any] = run_demo(seed=seed, server=stage, progress=True, keep_open=not headless)
            result["seconds"] = round(time.monotonic() - began, 2)
            if as_json:
                sys.stdout.write(json.dumps(result) + "\n")
                sys.stdout.flush()
            else:
                _print(result)
            if not headless:
                _keep_up(stage)
        finally:
            stage.stop()
    return 0


def _make_phone_dir() -> None:
    """Where the phone to follow will be kept: a folder that cannot be written is told now, not when the day is over."""
    try:
        PHONE_DIR.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RuntimeError(
            f"the demo keeps a phone in {PHONE_DIR} ({error.strerror}): start it from a folder that you may write to"
        ) from None


def _stage(*, seed: int, data: Path, port: int, database: str | None, broker: BrokerKind) -> Stage:
    """An empty database and a started server on the simulation's clock that beats only when the day is over.

    Raises RuntimeError or ValueError (PartsRefused) with what is wrong."""
    clock = demo_clock()
    parts = open_parts(data=data, database=database, clock=clock.now, challenges=challenges(seed=seed))
    with parts.sessions() as session:
        if people.councils(session) or people.providers(session):
            raise RuntimeError("--database is in use already: the demo needs an empty one, which it fills")
    mosquitto = _mosquitto(parts, data / "mosquitto") if broker == "mosquitto" else None
    token = secrets.token_hex(16)
    site_port = port or _free_port()
    settings = Settings(public_url=f"http://127.0.0.1:{site_port}", telephony_auth_token=SecretStr(token))
    told = FileGateway(path=data / "told.jsonl")
    server = Server(
        parts=parts,
        settings=settings,
        site_port=site_port,
        pulsing=False,
        gateway=told,
        outside_broker=None if mosquitto is None else (mosquitto.host, mosquitto.port),
    )
    stage = Stage(server=server, clock=clock, telephony_token=token, mosquitto=mosquitto)
    try:
        server.start()
    except BaseException:
        stage.stop()
        raise
    return stage


def _mosquitto(parts: Parts, directory: Path) -> MosquittoProcess:
    """A started Mosquitto of the demo's own. Raises RuntimeError when the program is missing or does not start."""
    started = MosquittoProcess(directory=directory, port=free_port())
    _write_mosquitto(parts, started)
    started.start()
    return started


def _write_mosquitto(parts: Parts, broker: MosquittoProcess) -> None:
    servers = [identity.server_credential(directory=parts.secrets, name="ingest-1")]
    with parts.sessions() as session:
        write_files(session, directory=broker.directory, servers=servers, host=broker.host, port=broker.port)


def _free_port() -> int:
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _print(result: dict[str, Any]) -> None:
    table = Table(title="One locality: 27 days of history, the 28th played through real MQTT", title_justify="left")
    table.add_column("what")
    table.add_column("figure", justify="right")
    for key, value in result.items():
        table.add_row(key, f"£{value / 100:,.2f}" if key.endswith("_pence") else str(value))
    Console().print(table)


def _keep_up(stage: Stage) -> None:
    """Let the server's own pulse beat, print the sign-ins and wait for Ctrl-C or SIGTERM."""
    server = stage.server
    assert server.pulse is not None
    sign_ins = _add_sign_ins(server.parts)
    plan_tour(server.parts, host=server.broker_host, port=server.broker_port)
    stage.tell_broker()
    server.pulse.start()
    console = Console()
    console.print(f"\nThe site is up: [bold]{server.site_url}[/bold]   MQTT: {server.broker_host}:{server.broker_port}")
    console.print("Sign in as (passwords are made anew for each demo):")
    for email, password in sign_ins:
        console.print(f"  {email:28} {password}", highlight=False)
    today = server.parts.clock().astimezone(ZoneInfo(server.settings.zone))
    console.print(
        f"Its clock is the simulation's, and goes on: today is {today:%A %d %B %Y}, the day after the played one."
        f"\nThe played day: {server.site_url}/visits?day={today.date() - timedelta(days=1)}",
        highlight=False,
    )
    console.print("One visit begins now and waits for its phone; in another terminal, from this folder:")
    console.print("  ./run phone check-in    and some minutes later    ./run phone check-out", highlight=False)
    console.print(f"  then look at {server.site_url}/visits/{VISIT_ID}", highlight=False)
    console.print("Stop with Ctrl-C.")
    told = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: told.set())
    told.wait()


def _add_sign_ins(parts: Parts) -> list[tuple[str, str]]:
    """An account for each role, with a password of its own."""
    with parts.sessions.begin() as session:
        provider, council = people.providers(session)[0], people.councils(session)[0]
        pairs = [(f"{role}@demo.example", secrets.token_urlsafe(12)) for role in SIGN_IN_ROLES]
        accounts.add_accounts(
            session,
            new=[
                Account(
                    account_id=f"demo-{role}",
                    email=email,
                    name=f"Demo {role}",
                    role=role,
                    council_id=council.council_id if role in (Role.COMMISSIONER, Role.SAFEGUARDING) else None,
                    provider_id=provider.provider_id if role is Role.BRANCH else None,
                    password_hash=hash_password(password),
                )
                for role, (email, password) in zip(SIGN_IN_ROLES, pairs, strict=True)
            ],
        )
    return pairs
