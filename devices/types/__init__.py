"""The device types popback understands, one file each. Not their transport.

To add one: a file here, one line in `TYPES`, a corpus of literal payloads as its test, one line in docs/add-a-device.md."""

from typing import Final

from devices.types.device_type import Decoded, DeviceType, Sender
from devices.types.owntracks import OWNTRACKS
from devices.types.popback_v1 import POPBACK_V1
from devices.types.telephony import TELEPHONY

TYPES: Final[tuple[DeviceType, ...]] = (
    POPBACK_V1,
    OWNTRACKS,
    TELEPHONY,
)

__all__ = ["TYPES", "Decoded", "DeviceType", "Sender"]
