"""The reference client of protocol v1: `Phone`, and the `Network` thread a fleet of them shares. Not the server's side."""

from devices.phone.network import Network
from devices.phone.phone import Phone
from devices.phone.plain_client import PlainClient

__all__ = ["Network", "Phone", "PlainClient"]
