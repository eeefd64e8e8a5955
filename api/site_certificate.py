"""Whether the site's certificate may be served: readable, a pair, not ended, good for the public address. Not its making (an ACME client)
and not the broker's (devices.mosquitto, whose reading of the files this shares)."""

from datetime import datetime
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from devices.mosquitto import certificates


def check_certificate(*, certificate: Path, key: Path, public_url: str, now: datetime) -> str | None:
    """A sentence when the certificate ends within 30 days, else None. Raises RuntimeError with the remedy when browsers would refuse it."""
    try:
        found = certificates.read(certificate=certificate, key=key)
    except certificates.CertificateRefused as error:
        raise RuntimeError(f"the site's certificate cannot be used: {error} (--tls-cert, --tls-key)") from None
    if now >= found.ends_at:
        raise RuntimeError(
            f"the site's certificate {certificate} ended on {found.ends_at:%d %B %Y}: renew it, and start the site again"
        )
    parts = urlsplit(public_url)
    host = parts.hostname or ""
    if parts.scheme != "https":
        raise RuntimeError(
            f"the site is to speak https (--tls-cert) and public_url is {public_url}: set POPBACK_PUBLIC_URL or public_url in "
            "popback.toml to the https address that people use"
        )
    if not any(_is_good_for(name, host) for name in found.names):
        raise RuntimeError(
            f"the site's certificate {certificate} is for {', '.join(found.names) or 'no name'} and public_url names {host}: "
            "get one for that name, or correct public_url"
        )
    warning = found.warning(now=now)
    return None if warning is None else f"the site: {warning}"


def _is_good_for(name: str, host: str) -> bool:
    """RFC 6125: a name is itself, and one star stands for one whole label; addresses are compared as addresses."""
    if _address(host) is not None or _address(name) is not None:
        return _address(host) == _address(name)
    said, wanted = name.lower().split("."), host.lower().split(".")
    return said == wanted or (said[0] == "*" and len(said) > 2 and said[1:] == wanted[1:])


def _address(text: str) -> str | None:
    try:
        return ip_address(text).compressed
    except ValueError:
        return None
