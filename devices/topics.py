"""The MQTT topics of protocol v1: building, parsing and who may use which. Not the messages on them.

A topic never carries personal data: only the provider's and the device's id."""

from dataclasses import dataclass
from typing import Final, Literal

from evm.domain.ids import is_id

ROOT: Final = "popback/v1"
Leaf = Literal["event", "receipt", "run", "status", ""]

EVENT_FILTER: Final = f"{ROOT}/+/+/event"
BASE_FILTER: Final = f"{ROOT}/+/+"
"""OwnTracks publishes locations on the bare device topic and transitions on `/event` below it."""

STATUS_FILTER: Final = f"{ROOT}/+/+/status"

SERVER_PREFIXES: Final = ("ingest-", "server-")
"""Users of the broker that are processes of ours. A device's user name always holds a dot; these never do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Whose topic it is and which of the device's topics (`leaf` empty: the bare device topic)."""

    provider: str
    device: str
    leaf: Leaf


def device_topic(*, provider: str, device: str, leaf: Leaf = "") -> str:
    """`popback/v1/{provider}/{device}[/{leaf}]`. Both ids must match the id pattern."""
    assert is_id(provider), provider
    assert is_id(device), device
    base = f"{ROOT}/{provider}/{device}"
    return f"{base}/{leaf}" if leaf else base


def parse(topic: str) -> Address | None:
    """Whose topic this is, or None when it is none of protocol v1's."""
    parts = topic.split("/")
    if len(parts) not in (4, 5) or parts[:2] != ["popback", "v1"] or not is_id(parts[2]) or not is_id(parts[3]):
        return None
    leaf = parts[4] if len(parts) == 5 else ""
    match leaf:
        case "event" | "receipt" | "run" | "status":
            return Address(provider=parts[2], device=parts[3], leaf=leaf)
        case "" if len(parts) == 4:
            return Address(provider=parts[2], device=parts[3], leaf="")
        case _:
            return None


def username(*, provider: str, device: str) -> str:
    """A device's user name and client id at the broker: `{provider}.{device}`."""
    assert is_id(provider), provider
    assert is_id(device), device
    return f"{provider}.{device}"


def device_of_username(name: str) -> tuple[str, str] | None:
    """(provider, device) of a device's user name, or None when it is no device's."""
    provider, dot, device = name.partition(".")
    return (provider, device) if dot and is_id(provider) and is_id(device) else None


def may_publish(*, user: str, topic: str) -> bool:
    """Whether the broker lets `user` publish on `topic`: a device its own event, status and bare topic; a server receipts and runs."""
    address = parse(topic)
    if address is None:
        return False
    if user.startswith(SERVER_PREFIXES) and "." not in user:
        return address.leaf in ("receipt", "run")
    return device_of_username(user) == (address.provider, address.device) and address.leaf in ("event", "status", "")


def may_receive(*, user: str, topic: str) -> bool:
    """Whether `user` may be given a message published on `topic`: a device its own receipts and runs; a server what devices publish."""
    address = parse(topic)
    if address is None:
        return False
    if user.startswith(SERVER_PREFIXES) and "." not in user:
        return address.leaf in ("event", "status", "")
    return device_of_username(user) == (address.provider, address.device) and address.leaf in ("receipt", "run")


def may_subscribe(*, user: str, topic_filter: str) -> bool:
    """Whether `user` may subscribe to `topic_filter`: servers the shared filters, a device only its own receipt and run topics by name."""
    if user.startswith(SERVER_PREFIXES) and "." not in user:
        plain = topic_filter.split("/", 2)[2] if topic_filter.startswith("$share/") else topic_filter
        return plain in (EVENT_FILTER, BASE_FILTER, STATUS_FILTER)
    return may_receive(user=user, topic=topic_filter)


def device_writes(base: str) -> tuple[str, ...]:
    """What the device of the topic `base` may publish on, as access rules say it; the same as `may_publish`."""
    return base, f"{base}/event", f"{base}/status"


def device_reads(base: str) -> tuple[str, ...]:
    """What the device of the topic `base` may be given; the same as `may_receive`."""
    return f"{base}/receipt", f"{base}/run"


def server_writes() -> tuple[str, ...]:
    """What our own processes may publish on, as access rules say it."""
    return f"{ROOT}/+/+/receipt", f"{ROOT}/+/+/run"


def server_reads() -> tuple[str, ...]:
    """What our own processes may subscribe to and be given, as access rules say it."""
    return EVENT_FILTER, BASE_FILTER, STATUS_FILTER
