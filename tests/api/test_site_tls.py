"""The site over TLS as `popback serve` offers it: what is served, and which certificates are refused before anybody sees them. Not the
broker's TLS (tests/devices/test_listeners.py)."""

import os
import re
import socket
import ssl
import subprocess
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest

from api.settings import Settings
from api.site_certificate import check_certificate
from tests.devices.certificates import Authority, Pair, need_openssl

ROOT = Path(__file__).parent.parent.parent
NOW = datetime.now(UTC) + timedelta(minutes=1)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    need_openssl()
    return Authority(tmp_path_factory.mktemp("authority"))


@contextmanager
def serving(directory: Path, *arguments: str, **environment: str) -> Iterator[str]:
    """A `popback serve api` of its own; the address it says it listens on."""
    process = subprocess.Popen(
        [sys.executable, "-m", "api.cli", "serve", "api", "--data", "data", "--port", "0", *arguments],
        cwd=directory,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)} | environment,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    try:
        said = ""
        while (found := re.search(r"site (https?://\S+)", said)) is None:
            line = process.stderr.readline()
            assert line, f"the site ended: {said}"
            said += line
        yield found[1]
    finally:
        process.terminate()
        process.communicate(timeout=30)


def test_the_site_speaks_https_of_today_and_tells_browsers_to_stay_with_it(
    authority: Authority, tmp_path: Path
) -> None:
    """Broken if the operations guide's site is not the TLS-secured one it promises, or speaks a TLS that is long broken."""
    pair = authority.sign("localhost")
    tls = ("--tls-cert", str(pair.certificate), "--tls-key", str(pair.key))
    with serving(tmp_path, *tls, POPBACK_PUBLIC_URL="https://localhost") as url:
        trusting = ssl.create_default_context(cadata=authority.pem)
        answer = httpx.get(url.replace("127.0.0.1", "localhost") + "/health", verify=trusting)
        assert answer.status_code == 200
        assert "max-age" in answer.headers["strict-transport-security"]
        with pytest.raises(httpx.ConnectError, match="certificate verify failed"):
            httpx.get(url)
        old = ssl.create_default_context(cadata=authority.pem)
        old.check_hostname = False
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # they are: that is the point
            old.minimum_version = ssl.TLSVersion.TLSv1
            old.maximum_version = ssl.TLSVersion.TLSv1_1
        old.set_ciphers("DEFAULT:@SECLEVEL=0")
        address = ("127.0.0.1", int(url.rsplit(":", 1)[1]))
        with pytest.raises(ssl.SSLError), socket.create_connection(address) as plain:
            old.wrap_socket(plain, server_hostname="localhost")


@pytest.mark.parametrize(
    ("public_url", "words"),
    [
        ("https://visits.example.org", "is for .*localhost.* and public_url names visits.example.org"),
        ("http://localhost", "is to speak https .* and public_url is http://localhost"),
    ],
)
def test_a_certificate_for_another_name_than_the_sites_is_refused(
    authority: Authority, public_url: str, words: str
) -> None:
    """Broken if every browser warns of the site and its log says nothing."""
    pair = authority.sign("localhost")
    with pytest.raises(RuntimeError, match=words):
        check(pair, public_url)


def test_a_certificate_is_spoken_of_before_it_ends_and_refused_after(authority: Authority) -> None:
    """Broken if the first who learns that the certificate has ended is a family that looks for today's visit."""
    pair = authority.sign("short", days=20)
    assert "renew it" in (check(pair) or "")
    assert check(authority.sign("long", days=90)) is None
    with pytest.raises(RuntimeError, match=r"ended on .* renew it"):
        check(pair, now=NOW + timedelta(days=21))


def test_files_that_are_no_pair_are_refused_by_name(authority: Authority, tmp_path: Path) -> None:
    """Broken if a mix-up of files ends in OpenSSL's words."""
    one, other = authority.sign("one"), authority.sign("other")
    with pytest.raises(RuntimeError, match=r"is not the key of"):
        check(Pair(certificate=one.certificate, key=other.key))
    with pytest.raises(RuntimeError, match=r"cannot be read"):
        check(Pair(certificate=tmp_path / "none.pem", key=one.key))


def check(pair: Pair, public_url: str = "https://localhost", now: datetime | None = None) -> str | None:
    at = now or datetime.now(UTC)  # not NOW: in a long run the certificate is made long after this module was read
    return check_certificate(certificate=pair.certificate, key=pair.key, public_url=public_url, now=at)


def test_a_bad_certificate_ends_the_command_with_its_sentence(authority: Authority, tmp_path: Path) -> None:
    """Broken if the site starts with what no browser takes, or ends in a traceback."""
    pair = authority.sign("localhost")
    tls = ("--tls-cert", str(pair.certificate), "--tls-key", str(pair.key))
    done = subprocess.run(
        [sys.executable, "-m", "api.cli", "serve", "api", "--data", "d", "--port", "0", *tls],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "POPBACK_PUBLIC_URL": "https://other.example.org"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 1
    assert "get one for that name, or correct public_url" in done.stderr
    assert "Traceback" not in done.stderr


def test_only_networks_may_be_trusted_as_proxies() -> None:
    """Broken if a slip in the setting makes the site believe anybody about who they are."""
    assert Settings(trusted_proxies="10.0.0.5, 192.0.2.0/24").trusted_proxies
    with pytest.raises(ValueError, match="trusted_proxies names 'everyone'"):
        Settings(trusted_proxies="everyone")
