"""The site's own listener: uvicorn in a thread, plain or over TLS. Not the site (api.app) and not the other parts (api.server)."""

import socket
import ssl
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import uvicorn


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsPair:
    """PEM files for the site: the certificate with its chain, and its key."""

    certificate: Path
    key: Path


class SiteThread:
    """uvicorn in a thread of its own. `port` 0 takes a free one; `port` after `start` tells which."""

    def __init__(self, *, app: Any, host: str, port: int, tls: TlsPair | None = None, proxies: str = "") -> None:
        pem: dict[str, Any] = {} if tls is None else {"ssl_certfile": tls.certificate, "ssl_keyfile": tls.key}
        config = uvicorn.Config(
            app,
            log_level="warning",
            timeout_graceful_shutdown=3,
            ws="none",
            proxy_headers=bool(proxies),  # uvicorn would believe anybody on this machine
            forwarded_allow_ips=proxies,
            **pem,
        )
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._run, name="site", daemon=True)
        self._socket = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
        self.scheme = "http" if tls is None else "https"
        self.host, self.port = host, port
        self._load(config)

    def start(self) -> None:
        """Start and wait until it listens. Raises RuntimeError when the port cannot be had."""
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((self.host, self.port))
        except OSError as error:
            self._socket.close()
            raise RuntimeError(
                f"the site cannot listen on {self.host}:{self.port} ({error.strerror}): choose another with --host or --port"
            ) from None
        self.port = self._socket.getsockname()[1]
        self._thread.start()
        while not self._server.started:
            if not self._thread.is_alive():
                raise RuntimeError(f"the site ended as soon as it was started on {self.host}:{self.port}")
            time.sleep(0.01)

    def _load(self, config: uvicorn.Config) -> None:
        """Read the certificate now, so that what is wrong with it is said before anything runs."""
        try:
            config.load()
        except (OSError, ssl.SSLError) as error:
            self._socket.close()
            raise RuntimeError(
                f"the site's certificate or key cannot be used ({error}): see --tls-cert and --tls-key"
            ) from None
        if config.ssl is not None:
            config.ssl.minimum_version = ssl.TLSVersion.TLSv1_2

    def _run(self) -> None:
        self._server.run(sockets=[self._socket])

    def stop(self) -> None:
        """Finish the requests in hand, then end. Does nothing when it never started."""
        self._server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(timeout=10)
        self._socket.close()

    @property
    def url(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"
