"""Certificates for tests, made by the openssl program: an authority of its own and what it signs. Not the phones' trust (devices.tls)."""

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

NAMES = "DNS:localhost,IP:127.0.0.1"


def need_openssl() -> None:
    """Skip without the program, unless everything is required."""
    if shutil.which("openssl") is None:
        if os.environ.get("POPBACK_REQUIRE_ALL") == "1":
            pytest.fail("openssl is not installed, and POPBACK_REQUIRE_ALL=1")
        pytest.skip("openssl is not installed")


@dataclass(frozen=True)
class Pair:
    """A certificate's file and its key's."""

    certificate: Path
    key: Path


class Authority:
    """Signs certificates into `directory`; `pem` is what its clients trust."""

    def __init__(self, directory: Path, *, name: str = "office") -> None:
        need_openssl()
        self._directory, self._name = directory, name
        directory.mkdir(parents=True, exist_ok=True)
        _openssl(
            ["req", "-x509", *_NEW_KEY, "-keyout", self._key, "-out", self._certificate, "-days", "30"],
            ["-subj", f"/CN={name}"],
        )
        self.pem = self._certificate.read_text()

    @property
    def _certificate(self) -> Path:
        return self._directory / f"{self._name}-ca.pem"

    @property
    def _key(self) -> Path:
        return self._directory / f"{self._name}-ca.key"

    def sign(self, name: str, *, days: int = 90, names: str = NAMES) -> Pair:
        """A server's certificate, good from now for `days` (negative: ended so long ago)."""
        key, request, extensions = (self._directory / f"{name}.{suffix}" for suffix in ("key", "csr", "ext"))
        certificate = self._directory / f"{name}.pem"
        extensions.write_text(f"subjectAltName={names}\n" if names else "basicConstraints=CA:FALSE\n")
        _openssl(["req", *_NEW_KEY, "-keyout", key, "-out", request, "-subj", f"/CN={name}"])
        _openssl(
            ["x509", "-req", "-in", request, "-CA", self._certificate, "-CAkey", self._key, "-CAcreateserial"],
            ["-days", str(days), "-extfile", extensions, "-out", certificate],
        )
        return Pair(certificate, key)


_NEW_KEY = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes")


def _openssl(*arguments: list[object]) -> None:
    command = ["openssl", *(str(part) for group in arguments for part in group)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr
