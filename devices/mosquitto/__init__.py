"""What a Mosquitto needs to know of us: its configuration, its certificate, and who may say what, from the device table. Not its running
(in production the system runs it; in tests devices.mosquitto.process).

Two ways: by files (`files`: passwords and access rules, read again on SIGHUP) and by Mosquitto's dynamic-security plugin (`dynsec`,
`control`: changed while it runs, over MQTT)."""

from devices.mosquitto.configuration import ACL_FILE, CONF_FILE, PASSWORD_FILE, PID_FILE, TlsFiles, configuration
from devices.mosquitto.files import write_files
from devices.mosquitto.placing import SyncRefused, Written

__all__ = [
    "ACL_FILE",
    "CONF_FILE",
    "PASSWORD_FILE",
    "PID_FILE",
    "SyncRefused",
    "TlsFiles",
    "Written",
    "configuration",
    "write_files",
]
