"""How people are told: to a log, to a file, to a webhook. Not what is told or when (evm.services.notify), and not escalation.

Every gateway may see one key twice (the process can die between sending and noting it) and passes the key on, so that the receiver can
act on it once."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import httpx
import orjson
import structlog

log = structlog.get_logger(__name__)

WEBHOOK_SECONDS_MAX = 10.0
_PATIENCE = httpx.Timeout(connect=3.0, write=2.0, read=5.0, pool=None)
"""Together `WEBHOOK_SECONDS_MAX`: httpx counts each part of an exchange by itself."""


class NotSent(Exception):  # noqa: N818 -- named for what is wrong
    """This one was not delivered; it stays in the outbox and is tried again."""


class NotAnswered(NotSent):
    """Nobody answers there: the next to the same address would wait in vain, too."""


class UnknownGateway(ValueError):  # noqa: N818 -- named for what is wrong
    """The address names no gateway there is."""

    def __init__(self, *, address: str) -> None:
        super().__init__(
            f"{address!r} names no gateway: write log, file:PATH or https://… (http:// only to this machine)"
        )


class NotifyGateway(Protocol):
    """One way of telling. `send` returns when the other side has it, and raises `NotSent` when it has not."""

    @property
    def name(self) -> str: ...

    def send(self, *, key: str, address: str, body: dict[str, Any]) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LogGateway:
    """Tells the operator's log: enough for a demo and for the first day of a small site."""

    name: str = "log"

    def send(self, *, key: str, address: str, body: dict[str, Any]) -> None:
        """One line of the log; it cannot fail."""
        log.warning("alert", key=key, address=address, **body)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileGateway:
    """Appends one JSON line for each telling, on the disk before it counts as sent: for another program to follow."""

    path: Path
    name: str = "file"

    def send(self, *, key: str, address: str, body: dict[str, Any]) -> None:
        """Append and fsync. Raises `NotSent` when the disk refuses."""
        line = orjson.dumps({"key": key, "address": address, "body": body}) + b"\n"
        try:
            with self.path.open("ab") as file:
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise NotSent(f"cannot write {self.path.name}: {error.strerror}") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookGateway:
    """Posts JSON to one address the operator has configured; the key travels as `Idempotency-Key`. Follows no redirect."""

    url: str
    client: httpx.Client
    name: str = "webhook"

    def send(self, *, key: str, address: str, body: dict[str, Any]) -> None:
        """Raises `NotSent` for anything but a 2xx answer, `NotAnswered` for none within ten seconds."""
        content = orjson.dumps({"key": key, "address": address, "body": body})
        headers = {"Idempotency-Key": key, "Content-Type": "application/json"}
        asked = self.client.stream("POST", self.url, content=content, headers=headers, timeout=_PATIENCE)
        try:
            with asked as answer:  # its status says all: a body that never ends is not waited for
                status = answer.status_code
        except httpx.HTTPError as error:
            raise NotAnswered(f"the webhook does not answer: {type(error).__name__}") from error
        if not 200 <= status < 300:
            raise NotSent(f"the webhook answered {status}")


def gateway_of(*, address: str) -> NotifyGateway:
    """The gateway an operator's setting names: "log", "file:PATH" or a webhook's URL. Raises `UnknownGateway`."""
    if address == "log":
        return LogGateway()
    if address.startswith("file:") and len(address) > len("file:"):
        return FileGateway(path=Path(address.removeprefix("file:")))
    url = httpx.URL(address) if "://" in address else None
    if url is not None and (url.scheme == "https" or (url.scheme == "http" and url.host in _THIS_MACHINE)):
        return WebhookGateway(url=address, client=httpx.Client(follow_redirects=False))
    raise UnknownGateway(address=address)


_THIS_MACHINE = frozenset({"127.0.0.1", "localhost", "::1"})
