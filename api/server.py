"""The server's parts put together: ingest, broker and site, and all of them in one process. Not which of them a command starts (api.serve).

Order of starting: broker, ingest, pulse, site; of stopping: the reverse, so that nothing is acknowledged that is not stored."""

from contextlib import ExitStack
from dataclasses import dataclass, field

import structlog

from api.health import Health, MeasuredIngest
from api.jobs import PATIENCE_SECONDS, sending_down, telling, watching, working
from api.parts import Parts, wall_clock
from api.pulse import Job, Pulse, Pulses
from api.settings import Settings
from api.site_certificate import check_certificate
from api.site_thread import SiteThread, TlsPair
from devices import identity
from devices.broker import EmbeddedBroker
from devices.ingest import Ingest
from devices.mqtt import IngestClient
from devices.tls import Tls
from evm.gateways.notify import LogGateway, NotifyGateway

log = structlog.get_logger(__name__)


@dataclass(slots=True, kw_only=True)
class Server:
    """Everything in one process. `start`, use, `stop`; the simulation beats the pulse itself, so `pulsing` is False there.
    `site_parts`: what the pages work on, if it is not what all else does."""

    parts: Parts
    settings: Settings
    site_parts: Parts | None = None
    site_host: str = "127.0.0.1"
    site_port: int = 0
    site_tls: TlsPair | None = None
    broker_host: str = "127.0.0.1"
    broker_port: int = 0
    outside_broker: tuple[str, int] | None = None
    broker_tls: Tls | None = None
    pulsing: bool = True
    name: str = "ingest-1"
    gateway: NotifyGateway = field(default_factory=LogGateway)
    health: Health | None = None
    broker: EmbeddedBroker | None = None
    client: IngestClient | None = None
    pulse: Pulses | None = None
    site: SiteThread | None = None
    ingest: Ingest | None = None

    def start(self) -> None:
        host, port = self._start_broker()
        self.health = self.health or Health(parts=self.parts)
        self.ingest = make_ingest(self.parts, self.settings, health=self.health)
        self.client = ingest_client(
            self.parts,
            ingest=self.ingest,
            host=host,
            port=port,
            embedded=self.outside_broker is None,
            tls=self.broker_tls,
            name=self.name,
            health=self.health,
        )
        if not self.client.start(timeout_seconds=30):
            raise RuntimeError(
                f"ingest gets no subscription at the broker {host}:{port} within 30 s: are its credentials in place?"
            )
        self.broker_host, self.broker_port = host, port
        self.pulse = pulses_of_all(self.parts, gateway=self.gateway, client=self.client, health=self.health)
        self.site = make_site(
            self.site_parts or self.parts,
            self.settings,
            ingest=self.ingest,
            host=self.site_host,
            port=self.site_port,
            tls=self.site_tls,
        )
        self.site.start()
        self.site_port = self.site.port
        if self.pulsing:
            self.pulse.start()

    def stop(self) -> None:
        """Stops every part, the site first, and closes the databases though a part does not stop."""
        with ExitStack() as ending:
            for parts in (self.parts, self.site_parts):
                if parts is not None:
                    ending.callback(parts.engine.dispose)
            for part in (self.broker, self.client, self.pulse, self.site):
                if part is not None:
                    ending.callback(part.stop)

    @property
    def site_url(self) -> str:
        scheme = "http" if self.site is None else self.site.scheme
        return f"{scheme}://{self.site_host}:{self.site_port}"

    def _start_broker(self) -> tuple[str, int]:
        if self.outside_broker is not None:
            return self.outside_broker
        self.broker = embedded_broker(self.parts, host=self.broker_host, port=self.broker_port)
        self.broker.start()
        return self.broker_host, self.broker.port


def pulses_of_all(parts: Parts, *, gateway: NotifyGateway, client: IngestClient, health: Health) -> Pulses:
    """Every standing job, each kind on a thread of its own: a webhook that hangs delays no deadline."""
    kinds = {
        "watch": watching(parts),
        "notify": telling(parts, gateway=gateway),
        "work": working(parts),
        "ingest": sending_down(parts, publish=client.publish),
    }
    return Pulses(pulses=tuple(pulse_of(name, jobs, health=health) for name, jobs in kinds.items()))


def pulse_of(name: str, jobs: tuple[Job, ...], *, health: Health) -> Pulse:
    """The pulse of one kind of jobs, watched over."""
    return health.pulse(Pulse(jobs=jobs, name=name, patience_seconds=PATIENCE_SECONDS[name]))


def make_ingest(parts: Parts, settings: Settings, *, health: Health | None = None) -> Ingest:
    """The one way in, on this process's database; counted and timed for `health`."""
    ingest = MeasuredIngest(
        sessions=parts.sessions,
        clock=parts.clock,
        policy=parts.policy,
        new_challenge=parts.challenges,
        telephony_provider=settings.telephony_provider,
        challenge_key=identity.challenge_key(directory=parts.secrets),
    )
    ingest.health = health
    return ingest


def ingest_client(
    parts: Parts,
    *,
    ingest: Ingest,
    host: str,
    port: int,
    embedded: bool,
    tls: Tls | None = None,
    name: str = "ingest-1",
    health: Health | None = None,
) -> IngestClient:
    """Ingest's own connection; shared subscriptions where the broker has them."""
    credential = identity.server_credential(directory=parts.secrets, name=name)
    client = IngestClient(
        host=host,
        port=port,
        client_id=name,
        password=credential.password,
        ingest=ingest,
        share_group=None if embedded else identity.share_group(directory=parts.secrets),
        persistent=not embedded,
        tls=tls,
    )
    if health is not None:
        health.watch_client(client)
    return client


def embedded_broker(parts: Parts, *, host: str, port: int) -> EmbeddedBroker:
    """The embedded broker, which knows ingest's credential and every enrolled device."""
    identity.server_credential(directory=parts.secrets, name="ingest-1")
    servers = identity.server_credentials(directory=parts.secrets)
    return EmbeddedBroker(sessions=parts.sessions, servers=servers, host=host, port=port)


def make_site(
    parts: Parts, settings: Settings, *, ingest: Ingest | None, host: str, port: int, tls: TlsPair | None = None
) -> SiteThread:
    """The site and the HTTP API."""
    from api.app import create_app

    if tls is not None:
        warning = check_certificate(
            certificate=tls.certificate, key=tls.key, public_url=settings.public_url, now=wall_clock()
        )
        if warning is not None:
            log.warning(warning)
    app = create_app(sessions=parts.sessions, ingest=ingest, clock=parts.clock, settings=settings, policy=parts.policy)
    return SiteThread(app=app, host=host, port=port, tls=tls, proxies=settings.trusted_proxies)
