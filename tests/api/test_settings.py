"""What the operator writes: read strictly, refused with the field's name, never printed when secret."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from api.settings import Settings


def test_a_file_is_read_and_the_environment_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Broken: a TOML file would be ignored without a word, or could not be overridden where it runs."""
    file = tmp_path / "popback.toml"
    file.write_text('public_url = "https://care.example.org/"\nsession_idle_minutes = 10\n', encoding="utf-8")
    assert Settings.from_file(file).session_idle_minutes == 10
    assert Settings.from_file(file).public_url == "https://care.example.org"
    monkeypatch.setenv("POPBACK_SESSION_IDLE_MINUTES", "20")
    assert Settings.from_file(file).session_idle_minutes == 20
    assert Settings.from_file(None).session_idle_minutes == 20


@pytest.mark.parametrize(
    "line",
    [
        "sesion_idle_minutes = 10",
        "session_idle_minutes = 0",
        'public_url = "care.example.org"',
        'public_url = "https://x/path"',
        'public_url = "ftp://x"',
    ],
)
def test_a_wrong_line_is_refused_with_its_name(tmp_path: Path, line: str) -> None:
    """Broken: a misspelt setting would seem to be obeyed."""
    file = tmp_path / "popback.toml"
    file.write_text(line, encoding="utf-8")
    with pytest.raises(ValidationError, match=line.partition(" ")[0]):
        Settings.from_file(file)


def test_secrets_are_not_printed() -> None:
    """Broken: a log line with the settings would give Twilio's token away."""
    settings = Settings(telephony_auth_token="hush-hush", metrics_token="psst")
    assert "hush" not in repr(settings)
    assert "psst" not in str(settings)


def test_tls_decides_the_cookies_name() -> None:
    """Broken: over TLS a weaker cookie of the same name could be planted by a neighbour site."""
    assert Settings(public_url="https://care.example.org").cookie_name == "__Host-popback"
    assert Settings(public_url="http://127.0.0.1:8080").cookie_name == "popback"
