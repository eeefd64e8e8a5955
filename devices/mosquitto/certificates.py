"""The broker's certificate: whether its files can be used, for which names and how long. Not its making (the operator's ACME client) and
not the clients' side (devices.tls).

What the files say is learnt by using them: a server with them and a client that trusts just them shake hands in memory."""

import hashlib
import socket
import ssl
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

WARN_DAYS: Final = (30, 7, 1)
"""Days before its end at which a certificate is spoken of (faults.md, 31)."""

_NO_CHECK_TIME: Final = 0x200000
"""OpenSSL's X509_V_FLAG_NO_CHECK_TIME, which Python does not name: here the dates are read, not judged."""


class CertificateRefused(ValueError):  # noqa: N818 -- named for what is wrong
    """The certificate's files cannot be used, with the sentence that says what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificate:
    """`names`: DNS names and IP addresses it is good for; `sha256` of its DER form; valid `[begins_at, ends_at)`, aware UTC."""

    names: tuple[str, ...]
    begins_at: datetime
    ends_at: datetime
    sha256: str

    def days_left(self, *, now: datetime) -> int:
        """Whole days until it ends; negative when it has ended."""
        return (self.ends_at - now) // timedelta(days=1)

    def warning(self, *, now: datetime) -> str | None:
        """The sentence about its end, from `WARN_DAYS` before it."""
        days = self.days_left(now=now)
        if now >= self.ends_at:
            return f"the certificate ended on {self.ends_at:%d %B %Y}: no phone connects until it is renewed"
        if now < self.begins_at:
            return f"the certificate is not valid before {self.begins_at:%d %B %Y, %H:%M} UTC"
        if days < WARN_DAYS[0]:
            return f"the certificate ends on {self.ends_at:%d %B %Y}, in {_days(days)}: renew it"
        return None

    def warning_level(self, *, now: datetime) -> int | None:
        """Which of `WARN_DAYS` (0: ended) has been passed: a warning is due each time this changes. None: none yet."""
        if now >= self.ends_at:
            return 0
        passed = [days for days in WARN_DAYS if self.ends_at - now < timedelta(days=days)]
        return min(passed) if passed else None


def read(*, certificate: Path, key: Path) -> Certificate:
    """What the files say. Raises `CertificateRefused` naming the file: it is missing, no PEM, or the two are no pair."""
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    for path in (certificate, key):
        _readable(path)
    try:
        server.load_cert_chain(certificate, key, password=_no_password)
    except _NeedsPasswordError:
        raise CertificateRefused(f"{key} is locked by a password: give Mosquitto a key without one") from None
    except ssl.SSLError as error:
        if error.reason == "KEY_VALUES_MISMATCH":
            raise CertificateRefused(f"{key} is not the key of {certificate}: give the pair of one renewal") from None
        raise CertificateRefused(
            f"{certificate} and {key} are no certificate and key in PEM form ({error.reason or 'unreadable'}): "
            "give the full chain and its key as the issuer left them"
        ) from None
    try:
        return _shown(_handshake(server, certificate))
    except ssl.SSLError as error:
        raise CertificateRefused(
            f"{certificate} cannot be a server's certificate ({error.reason}): ask its issuer for one for TLS servers"
        ) from None


def served(*, host: str, port: int, timeout_seconds: float = 5.0) -> str:
    """The SHA-256 of the certificate that a listener shows just now. Raises OSError when it shows none."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # what is shown is compared with the file, nothing is sent
    with (
        socket.create_connection((host, port), timeout=timeout_seconds) as plain,
        context.wrap_socket(plain, server_hostname=host) as wrapped,
    ):
        return _sha256(wrapped.getpeercert(binary_form=True) or b"")


class _NeedsPasswordError(Exception):
    """OpenSSL asks for the key's password."""


def _no_password() -> str:
    raise _NeedsPasswordError


def _readable(path: Path) -> None:
    try:
        path.read_bytes()
    except OSError as error:
        raise CertificateRefused(
            f"{path} cannot be read ({error.strerror}): name a PEM file that this user may read"
        ) from None


def _handshake(server: ssl.SSLContext, certificate: Path) -> ssl.SSLObject:
    """The client's end of a connection to `server`, in memory, whose certificate it trusts for itself and at any time."""
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname = False
    client.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | ssl.VerifyFlags(_NO_CHECK_TIME)
    client.load_verify_locations(certificate)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(to_client, to_server)
    theirs = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for end in (ours, theirs):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    return ours


def _shown(connection: ssl.SSLObject) -> Certificate:
    said: dict[str, Any] = connection.getpeercert() or {}
    return Certificate(
        names=tuple(str(value) for _, value in said.get("subjectAltName", ())),
        begins_at=_moment(said["notBefore"]),
        ends_at=_moment(said["notAfter"]),
        sha256=_sha256(connection.getpeercert(binary_form=True) or b""),
    )


def _moment(text: object) -> datetime:
    return datetime.fromtimestamp(ssl.cert_time_to_seconds(str(text)), UTC)


def _sha256(der: bytes) -> str:
    return hashlib.sha256(der).hexdigest()


def _days(count: int) -> str:
    return "less than a day" if count < 1 else "1 day" if count == 1 else f"{count} days"
