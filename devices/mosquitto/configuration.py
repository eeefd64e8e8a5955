"""The shipped mosquitto.conf, filled in: listeners, certificate, and which of the two ways says who may speak. Not who they are."""

import getpass
import os
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Final, Literal

CONF_FILE: Final = "mosquitto.conf"
PID_FILE: Final = "mosquitto.pid"
PASSWORD_FILE: Final = "passwords"  # noqa: S105 -- a file's name
ACL_FILE: Final = "acl"
DYNSEC_FILE: Final = "dynamic-security.json"
CERTIFICATE_FILE: Final = "certificate.pem"
KEY_FILE: Final = "key.pem"
By = Literal["files", "dynsec"]
_PLUGIN: Final = "mosquitto_dynamic_security.so"
_PLUGIN_PLACES: Final = ("/usr/lib", "/usr/lib64", "/usr/local/lib", "/opt/homebrew/lib")


class PluginMissingError(RuntimeError):
    """Mosquitto's dynamic-security plugin is not on this machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFiles:
    """The listeners that are open to the world, and their PEM files: `certificate` with its chain, and its `key`, as the certificate's
    issuer left them. Mosquitto reads copies of its own, which it may read after it has ceased to be root."""

    port: int
    certificate: Path
    key: Path
    websockets_port: int | None = None
    host: str = "0.0.0.0"  # noqa: S104 -- the one listener meant for everybody


def configuration(
    *,
    directory: Path,
    host: str,
    port: int,
    tls: TlsFiles | None = None,
    run_as: str | None = None,
    by: By = "files",
    plugin: Path | None = None,
) -> str:
    """The shipped configuration, filled in. Tested as shipped. `plugin` is asked for by dynamic security only (`find_plugin`)."""
    template = Template((files("devices.mosquitto") / "mosquitto.conf").read_text(encoding="utf-8"))
    where = directory.resolve()
    return template.substitute(
        directory=where,
        host=host,
        port=port,
        access=_access(where, by, plugin),
        tls=_tls_listeners(where, tls),
        run_as=run_as or own_name(),
    )


def find_plugin() -> Path:
    """Where the dynamic-security plugin is. Raises `PluginMissingError` with the remedy."""
    for place in _PLUGIN_PLACES:
        for folder in (Path(place), *sorted(Path(place).glob("*-linux-*"))):
            if (folder / _PLUGIN).exists():
                return folder / _PLUGIN
    raise PluginMissingError(
        f"{_PLUGIN} is not on this machine: install Mosquitto 2 with it (Debian: apt-get install mosquitto), "
        "or sync by files"
    )


def own_name() -> str:
    """The user this process is, by name; where a container gives it none, Mosquitto's usual one (it is not root then, and ignores it)."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return "mosquitto" if os.getuid() else "root"


def _access(directory: Path, by: By, plugin: Path | None) -> str:
    if by == "files":
        return f"password_file {directory / PASSWORD_FILE}\nacl_file {directory / ACL_FILE}"
    assert plugin is not None, "dynamic security needs its plugin"
    return f"plugin {plugin}\nplugin_opt_config_file {directory / DYNSEC_FILE}"


def _tls_listeners(directory: Path, tls: TlsFiles | None) -> str:
    if tls is None:
        return "# No listener open to the world: give `popback broker sync` a certificate and key."
    pem = (
        "use_username_as_clientid true\n"
        f"certfile {directory / CERTIFICATE_FILE}\nkeyfile {directory / KEY_FILE}\ntls_version tlsv1.2\n"
    )
    plain = f"listener {tls.port} {tls.host}\n{pem}"
    if tls.websockets_port is None:
        return plain
    return f"{plain}\nlistener {tls.websockets_port} {tls.host}\nprotocol websockets\n{pem}"
