"""Challenges that show by themselves when and to which device they were given: a restored database has forgotten the newest ones, and the
times they prove must not be lost with them. Not the grading (evm.domain.grades) and not the table of them (evm.store.ingest_state)."""

import base64
import hashlib
import hmac
import re
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from evm.domain.ids import DeviceId, ProviderId

NONCE_CHARACTERS_MAX: Final = 28
_FORM: Final = re.compile(r"(\d{1,11})\.([A-Za-z0-9_~-]{1,28})\.([A-Za-z0-9_-]{22})")
_MAC_BYTES: Final = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class ChallengeKey:
    """Makes and knows again challenges under one secret: the same in every process, and the same after a restore."""

    secret: bytes

    @classmethod
    def of(cls, *, password: str) -> "ChallengeKey":
        """The key that follows from a server credential's password."""
        return cls(secret=hashlib.sha256(f"popback challenge key {password}".encode()).digest())

    def make(self, *, provider: ProviderId, device: DeviceId, issued_at: datetime, nonce: str) -> str:
        """A challenge of at most 64 characters: the second it is given, a nonce that makes it one of its kind, and the proof of both."""
        seconds, short = int(issued_at.timestamp()), nonce[:NONCE_CHARACTERS_MAX]
        return f"{seconds}.{short}.{self._proof(provider, device, seconds, short)}"

    def issued_at(self, *, provider: ProviderId, device: DeviceId, challenge: str) -> datetime | None:
        """When this challenge was given to this device; None when it is none of ours, or another device's."""
        form = _FORM.fullmatch(challenge)
        if form is None or not hmac.compare_digest(self._proof(provider, device, int(form[1]), form[2]), form[3]):
            return None
        return datetime.fromtimestamp(int(form[1]), UTC)

    def _proof(self, provider: ProviderId, device: DeviceId, seconds: int, nonce: str) -> str:
        said = f"{provider}/{device}/{seconds}/{nonce}".encode()
        whole = hmac.new(self.secret, said, hashlib.sha256).digest()
        return base64.urlsafe_b64encode(whole[:_MAC_BYTES]).decode().rstrip("=")
