"""What the operator tells the site: a TOML file and POPBACK_* variables. Not a council's policy (evm.services.policies)."""

from ipaddress import ip_network
from pathlib import Path
from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, field_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource


class Settings(BaseSettings):
    """Every field's unit is its last word. The environment (POPBACK_PUBLIC_URL=…) wins over the file; secrets are never printed."""

    model_config = SettingsConfigDict(env_prefix="POPBACK_", extra="forbid", frozen=True)

    public_url: str = "http://127.0.0.1:8080"
    """The address people and Twilio use, without a slash at its end. Decides the cookie's name and the signature check of webhooks."""
    zone: str = "Europe/London"
    session_idle_minutes: int = Field(default=15, ge=1, le=24 * 60)
    session_absolute_hours: int = Field(default=12, ge=1, le=7 * 24)
    sign_in_failures_max: int = Field(default=5, ge=1, le=100)
    sign_in_lock_minutes: int = Field(default=15, ge=1, le=24 * 60)
    sign_ins_per_address_minute_max: int = Field(default=30, ge=1, le=10_000)
    body_bytes_max: int = Field(default=256 * 1024, ge=1024, le=64 * 1024 * 1024)
    page_rows: int = Field(default=50, ge=1, le=500)
    live_poll_seconds: float = Field(default=1.0, ge=1.0, le=60.0)
    telephony_auth_token: SecretStr | None = None
    """Twilio's auth token; without it every call to the telephony webhook is refused."""
    telephony_provider: str | None = None
    """Whose a call is when the dialled number names nobody (given to Ingest by the entry point)."""
    notify_to: str = "log"
    """How people are told of alerts: `log`, `file:PATH` (one JSON line each) or the https address of a webhook."""
    trusted_proxies: str = ""
    """Addresses or networks of reverse proxies, apart by commas: only they may say who a request came from (X-Forwarded-For, -Proto)."""
    metrics_token: SecretStr | None = None
    """Bearer token for /metrics; without it only a signed-in administrator reads them."""

    @field_validator("public_url")
    @classmethod
    def _an_origin(cls, value: str) -> str:
        parts = urlsplit(value)
        if (
            parts.scheme not in {"http", "https"}
            or not parts.netloc
            or parts.path.strip("/")
            or parts.query
            or parts.fragment
        ):
            raise ValueError("public_url must be an origin such as https://care.example.org, with no path")
        return f"{parts.scheme}://{parts.netloc}"

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: str) -> str:
        for one in filter(None, (part.strip() for part in value.split(","))):
            try:
                ip_network(one)
            except ValueError:
                raise ValueError(
                    f"trusted_proxies names {one!r}, which is no address or network such as 10.0.0.5 or 10.0.0.0/24"
                ) from None
        return value

    @property
    def secure(self) -> bool:
        """Whether the site is reached by TLS: cookies then carry `Secure` and the `__Host-` name."""
        return self.public_url.startswith("https://")

    @property
    def cookie_name(self) -> str:
        return "__Host-popback" if self.secure else "popback"

    @classmethod
    def from_file(cls, path: Path | None) -> Self:
        """Settings of a TOML file (None: defaults), overridden by the environment. Unknown keys are refused."""

        class FromFile(cls):  # type: ignore[misc, valid-type]  # the file's path is known only now
            @classmethod
            def settings_customise_sources(
                cls,
                settings_cls: type[BaseSettings],
                init_settings: PydanticBaseSettingsSource,
                env_settings: PydanticBaseSettingsSource,
                dotenv_settings: PydanticBaseSettingsSource,
                file_secret_settings: PydanticBaseSettingsSource,
            ) -> tuple[PydanticBaseSettingsSource, ...]:
                del dotenv_settings, file_secret_settings
                file = () if path is None else (TomlConfigSettingsSource(settings_cls, toml_file=path),)
                return (init_settings, env_settings, *file)

        return cls(**FromFile().model_dump())
