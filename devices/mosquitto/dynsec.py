"""Who may say what, as Mosquitto's dynamic-security plugin keeps it: clients, roles and their access rules, and the commands that bring
what it has to what it should have. Pure; the talking is control's, the files and order are dynsec_sync's.

A device has a role of its own with its own topics; our processes share one. The plugin's file takes the hashes of our device table as they
are; its commands take only plain passwords, which we have for our own processes, and for a device in the moment of its enrolment. Each
client's description holds the fingerprint of the password it was given, so that one that has changed is seen."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from devices.identity import CONTROLLER, Credential, hash_password
from devices.topics import (
    device_of_username,
    device_reads,
    device_topic,
    device_writes,
    server_reads,
    server_writes,
    username,
)
from evm.store.people import DeviceRow

Command = dict[str, Any]
Rule = tuple[str, str]
"""Kind of access and topic; everything else is denied."""

CONTROL_TOPIC: Final = "$CONTROL/dynamic-security/v1"
DEFAULTS: Final = {"publishClientSend": False, "publishClientReceive": False, "subscribe": False, "unsubscribe": True}
_OURS: Final = "popback:"
_CONTROLLER_ROLE: Final = f"{_OURS}controller"
_SERVER_ROLE: Final = f"{_OURS}server"
_COMMAND_BYTES_MAX: Final = 24_000
"""Of commands in one message: well under the broker's packet limit."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A user the plugin should know. Its password stands in plain (our own processes) or only as a hash of our table's form."""

    name: str
    role: str
    fingerprint: str
    password: str | None = None
    password_hash: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """All that should be; `revoked` devices are kept disabled, so that their coming back is seen and refused."""

    clients: Mapping[str, Client]
    roles: Mapping[str, frozenset[Rule]]
    revoked: frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownClient:
    """A user the plugin knows."""

    fingerprint: str
    roles: tuple[str, ...]
    disabled: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What the plugin has. Clients and roles that are not ours are left out of every difference."""

    clients: Mapping[str, KnownClient]
    roles: Mapping[str, frozenset[Rule]]
    defaults: Mapping[str, bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Differences:
    """`commands` for the running plugin; `waiting`: devices whose password it can only be given by its file, at Mosquitto's next start."""

    commands: tuple[Command, ...]
    waiting: tuple[str, ...]


NOTHING: Final = Known(clients={}, roles={}, defaults={})


def wanted(*, devices: Iterable[DeviceRow], servers: Iterable[Credential], share_group: str) -> Wanted:
    """What the device table and our processes' credentials ask for. `CONTROLLER` among the servers may only command the plugin."""
    rows = tuple(devices)
    clients = [_server(server) for server in servers]
    clients += [_device(row) for row in rows if row.revoked_at is None]
    roles = {
        _CONTROLLER_ROLE: _rules(
            reads=[f"{CONTROL_TOPIC}/response"], writes=[CONTROL_TOPIC], subscribes=[f"{CONTROL_TOPIC}/response"]
        ),
        _SERVER_ROLE: _rules(
            reads=server_reads(),
            writes=server_writes(),
            subscribes=[*server_reads(), *(f"$share/{share_group}/{topic}" for topic in server_reads())],
        ),
    }
    return Wanted(
        clients={client.name: client for client in clients},
        roles=roles | {client.role: device_rules(client.name) for client in clients if _is_device(client.name)},
        revoked=frozenset(_name(row) for row in rows if row.revoked_at is not None),
    )


def enrolment(*, name: str, password: str, password_hash: str) -> tuple[Command, ...]:
    """The commands that make a device known in the moment of its enrolment, when its password is at hand. Repeatable."""
    client = Client(name=name, role=_role(name), fingerprint=fingerprint(password_hash), password=password)
    return (
        {"command": "deleteClient", "username": name},
        {"command": "deleteRole", "rolename": client.role},
        _create_role(client.role, device_rules(name)),
        _create_client(client),
    )


def differences(*, wanted: Wanted, known: Known) -> Differences:
    """What to command, and who has to wait for the file, to get from `known` to `wanted`. Roles come before who has them, and go after."""
    waiting = tuple(sorted(name for name, client in wanted.clients.items() if _waits(client, known.clients.get(name))))
    commands = [*_default_commands(known), *_role_commands(wanted, known)]
    for name, client in wanted.clients.items():
        if name not in waiting:
            commands += _client_commands(client, known.clients.get(name))
    commands += _goodbyes(wanted, known)
    return Differences(commands=tuple(commands), waiting=waiting)


def known_of(document: Mapping[str, Any]) -> Known:
    """What the plugin's file says, or its answers put together in the same form."""
    return Known(
        clients={
            str(one["username"]): KnownClient(
                fingerprint=str(one.get("textdescription", "")),
                roles=tuple(str(role["rolename"]) for role in one.get("roles", ())),
                disabled=bool(one.get("disabled", False)),
            )
            for one in document.get("clients", ())
        },
        roles={
            str(one["rolename"]): frozenset(
                (str(rule["acltype"]), str(rule["topic"])) if rule.get("allow") else ("denied", str(rule["topic"]))
                for rule in one.get("acls", ())
            )
            for one in document.get("roles", ())
        },
        defaults={str(kind): bool(allow) for kind, allow in document.get("defaultACLAccess", {}).items()},
    )


def file_text(wanted: Wanted) -> str:
    """The plugin's file as it should stand when Mosquitto starts."""
    document = {
        "defaultACLAccess": DEFAULTS,
        "clients": [_file_client(client) for client in wanted.clients.values()],
        "groups": [],
        "roles": [{"rolename": name, "acls": _acls(rules)} for name, rules in wanted.roles.items()],
    }
    return json.dumps(document, indent=1) + "\n"


def in_messages(commands: Iterable[Command]) -> Iterator[tuple[Command, ...]]:
    """The commands in their order, in lots that fit into one message each."""
    lot: list[Command] = []
    size = 0
    for command in commands:
        length = len(json.dumps(command))
        if lot and size + length > _COMMAND_BYTES_MAX:
            yield tuple(lot)
            lot, size = [], 0
        lot.append(command)
        size += length
    if lot:
        yield tuple(lot)


def fingerprint(secret: str) -> str:
    """Tells one password or hash from the next, and gives neither away: both hold 192 random bits."""
    return f"{_OURS}{hashlib.sha256(f'popback fingerprint {secret}'.encode()).hexdigest()[:16]}"


def device_rules(name: str) -> frozenset[Rule]:
    """What the device of this user name may do."""
    pair = device_of_username(name)
    assert pair is not None, name
    base = device_topic(provider=pair[0], device=pair[1])
    return _rules(reads=device_reads(base), writes=device_writes(base), subscribes=device_reads(base))


def _server(credential: Credential) -> Client:
    role = _CONTROLLER_ROLE if credential.username == CONTROLLER else _SERVER_ROLE
    secret = credential.password
    return Client(name=credential.username, role=role, fingerprint=fingerprint(secret), password=secret)


def _device(row: DeviceRow) -> Client:
    name = _name(row)
    return Client(
        name=name, role=_role(name), fingerprint=fingerprint(row.password_hash), password_hash=row.password_hash
    )


def _name(row: DeviceRow) -> str:
    return username(provider=row.provider, device=row.device)


def _role(name: str) -> str:
    return f"{_OURS}device:{name}"


def _is_device(name: str) -> bool:
    return device_of_username(name) is not None


def _rules(*, reads: Iterable[str], writes: Iterable[str], subscribes: Iterable[str]) -> frozenset[Rule]:
    return frozenset(
        [
            *(("publishClientReceive", topic) for topic in reads),
            *(("publishClientSend", topic) for topic in writes),
            *(("subscribeLiteral", topic) for topic in subscribes),
        ]
    )


def _waits(client: Client, known: KnownClient | None) -> bool:
    return client.password is None and (known is None or known.fingerprint != client.fingerprint)


def _default_commands(known: Known) -> list[Command]:
    if dict(known.defaults) == DEFAULTS:
        return []
    acls = [{"acltype": kind, "allow": allow} for kind, allow in DEFAULTS.items()]
    return [{"command": "setDefaultACLAccess", "acls": acls}]


def _role_commands(wanted: Wanted, known: Known) -> list[Command]:
    new = [_create_role(name, rules) for name, rules in wanted.roles.items() if name not in known.roles]
    other = [
        {"command": "modifyRole", "rolename": name, "acls": _acls(rules)}
        for name, rules in wanted.roles.items()
        if name in known.roles and known.roles[name] != rules
    ]
    return new + other


def _client_commands(client: Client, known: KnownClient | None) -> list[Command]:
    if known is None:
        return [_create_client(client)]
    commands: list[Command] = []
    if known.fingerprint != client.fingerprint:
        commands.append({"command": "setClientPassword", "username": client.name, "password": client.password})
    if known.fingerprint != client.fingerprint or known.roles != (client.role,):
        commands.append(
            {
                "command": "modifyClient",
                "username": client.name,
                "textdescription": client.fingerprint,
                "roles": [{"rolename": client.role}],
            }
        )
    if known.disabled:
        commands.append({"command": "enableClient", "username": client.name})
    return commands


def _goodbyes(wanted: Wanted, known: Known) -> list[Command]:
    """Revoked devices are disabled, which ends their connection; what we know nothing of any more goes with its role."""
    commands: list[Command] = []
    for name, client in known.clients.items():
        if name in wanted.clients or not any(role.startswith(_OURS) for role in client.roles):
            continue
        if name in wanted.revoked:
            commands += [] if client.disabled else [{"command": "disableClient", "username": name}]
        else:
            commands.append({"command": "deleteClient", "username": name})
    kept = {_role(name) for name in wanted.revoked} | set(wanted.roles)
    stale = [name for name in known.roles if name.startswith(_OURS) and name not in kept]
    return commands + [{"command": "deleteRole", "rolename": name} for name in stale]


def _create_role(name: str, rules: frozenset[Rule]) -> Command:
    return {"command": "createRole", "rolename": name, "acls": _acls(rules)}


def _create_client(client: Client) -> Command:
    return {
        "command": "createClient",
        "username": client.name,
        "password": client.password,
        "textdescription": client.fingerprint,
        "roles": [{"rolename": client.role}],
    }


def _acls(rules: frozenset[Rule]) -> list[Command]:
    return [{"acltype": kind, "topic": topic, "priority": 0, "allow": True} for kind, topic in sorted(rules)]


def _file_client(client: Client) -> Command:
    hashed = client.password_hash or hash_password(client.password or "")
    _, _, iterations, salt, digest = hashed.split("$")
    return {
        "username": client.name,
        "textdescription": client.fingerprint,
        "roles": [{"rolename": client.role}],
        "password": digest,
        "salt": salt,
        "iterations": int(iterations),
    }
