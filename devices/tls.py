"""How a client of ours makes sure whom it speaks to: TLS 1.2 or newer, the server's certificate and name verified. Not the server's own
files (devices.mosquitto.certificates), and no connection."""

import socket
import ssl
from dataclasses import dataclass
from typing import Final

_NOT_YET: Final = 9
_ENDED: Final = 10
_OTHER_NAME: Final = frozenset({62, 64})
"""OpenSSL's verify codes (X509_V_ERR_…) that a person can act on; every other one says that the signer is not trusted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """Whose signature makes a server's certificate good: the PEM certificates of `ca_pem`, or (None) those the system trusts."""

    ca_pem: str | None = None

    def context(self) -> ssl.SSLContext:
        """Verifies chain and name. Raises ValueError when `ca_pem` holds no certificate."""
        try:
            context = ssl.create_default_context(cadata=self.ca_pem)
        except (ssl.SSLError, ValueError) as error:
            raise ValueError(f"the CA's certificate is no PEM certificate ({error}): ask the office for it") from None
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        return context


def words_of(error: OSError, *, host: str, port: int) -> str:
    """Why no connection could be made, as a sentence that says what to do."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return _certificate_words(error, host)
    if isinstance(error, ssl.SSLError):
        return f"{host}:{port} does not speak TLS: is it the port of the TLS listener?"
    if isinstance(error, socket.gaierror):
        return f"no address is known for {host}: is the network on, and the name right?"
    if isinstance(error, TimeoutError):
        return f"{host}:{port} does not answer: is the network on?"
    if isinstance(error, ConnectionRefusedError):
        return f"nothing listens at {host}:{port}: is the broker up?"
    return (
        f"{host}:{port} cannot be reached ({error.strerror or error}): is it the right port, and the right transport?"
    )


def _certificate_words(error: ssl.SSLCertVerificationError, host: str) -> str:
    if error.verify_code == _ENDED:
        return f"the certificate of {host} has ended: the office must renew it"
    if error.verify_code == _NOT_YET:
        return f"the certificate of {host} is not valid yet: is this phone's clock right?"
    if error.verify_code in _OTHER_NAME:
        return f"the certificate shown is not of {host}: is the address right?"
    return f"the certificate of {host} is signed by nobody we trust ({error.verify_message}): give the office's CA certificate"
