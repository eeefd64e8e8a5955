"""Talks to a running Mosquitto's dynamic-security plugin over its control topic. Not what is said (devices.mosquitto.dynsec)."""

import itertools
import json
import queue
from collections.abc import Iterable
from typing import Any, Final, Self

from devices.identity import Credential
from devices.mosquitto.dynsec import CONTROL_TOPIC, Command, Known, in_messages, known_of
from devices.phone.network import Network
from devices.phone.plain_client import PlainClient
from devices.tls import Tls

CONNECT_SECONDS_MAX: Final = 10.0
ANSWER_SECONDS_MAX: Final = 20.0
PAGE: Final = 200
_GONE: Final = frozenset({"Client not found", "Role not found"})
_THERE: Final = frozenset({"Client already exists", "Role already exists"})
"""What a command repeated after a crash is told: it is so already."""


class ControlError(RuntimeError):
    """The plugin cannot be reached or refuses a command, with the sentence that says what to do."""


class Control:
    """A connection as our own controller. Use it in a `with`: entering connects and raises `ControlError` when nobody answers."""

    def __init__(self, *, host: str, port: int, credential: Credential, tls: Tls | None = None) -> None:
        self._network = Network()
        self._answers: queue.SimpleQueue[bytes] = queue.SimpleQueue()
        self._numbers = itertools.count(1)
        self._where = f"{host}:{port}"
        self._client = PlainClient(
            network=self._network,
            host=host,
            port=port,
            username=credential.username,
            password=credential.password,
            subscriptions=(f"{CONTROL_TOPIC}/response",),
            tls=tls,
            on_message=lambda _, message: self._answers.put(message),
        )

    def __enter__(self) -> Self:
        if not self._client.connect(timeout_seconds=CONNECT_SECONDS_MAX):
            problem = self._client.problem
            self._close()
            raise ControlError(
                f"Mosquitto at {self._where} does not let us command it ({problem or 'no answer'}): was it started with the "
                "mosquitto.conf and dynamic-security.json that `popback broker sync --by dynsec` wrote?"
            )
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def known(self) -> Known:
        """All clients, roles and defaults the plugin has now."""
        defaults = self._ask([{"command": "getDefaultACLAccess"}])[0].get("data", {}).get("acls", [])
        return known_of(
            {
                "clients": self._pages("listClients", "clients"),
                "roles": self._pages("listRoles", "roles"),
                "defaultACLAccess": {one["acltype"]: one["allow"] for one in defaults},
            }
        )

    def command(self, commands: Iterable[Command]) -> None:
        """Carry the commands out in order. Raises `ControlError` naming the first that is refused; those before it stand."""
        for lot in in_messages(commands):
            for command, answer in zip(lot, self._ask(lot), strict=True):
                _see_done(command, answer.get("error"))

    def _pages(self, command: str, what: str) -> list[Any]:
        found: list[Any] = []
        while True:
            asked = {"command": command, "verbose": True, "count": PAGE, "offset": len(found)}
            page = self._ask([asked])[0].get("data", {}).get(what, [])
            found += page
            if len(page) < PAGE:
                return found

    def _ask(self, commands: Iterable[Command]) -> list[dict[str, Any]]:
        number = str(next(self._numbers))
        numbered = [{**command, "correlationData": number} for command in commands]
        self._client.send(topic=CONTROL_TOPIC, message=json.dumps({"commands": numbered}).encode())
        while True:
            try:
                answers = json.loads(self._answers.get(timeout=ANSWER_SECONDS_MAX))["responses"]
            except queue.Empty:
                raise ControlError(
                    f"Mosquitto at {self._where} does not answer commands: is its dynamic-security plugin loaded?"
                ) from None
            if all(answer.get("correlationData") == number for answer in answers):
                return list(answers)

    def _close(self) -> None:
        self._client.close()
        self._network.stop()


def _see_done(command: Command, error: str | None) -> None:
    """Raises `ControlError` unless it is done, or was already."""
    deleting = str(command["command"]).startswith("delete")
    if error is None or (deleting and error in _GONE) or error in _THERE:
        return
    about = command.get("username") or command.get("rolename") or "the defaults"
    raise ControlError(f"Mosquitto's dynamic security refuses {command['command']} of {about}: {error}")
