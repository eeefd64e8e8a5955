"""What an operator may set of ingest's MQTT side. Read from nowhere here: the entry points read settings and hand them over."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class IngestSettings:
    """`batch_max`: messages a transaction; `linger_seconds`: how long a small batch waits for company; `receipt_items_max`: events one
    receipt message names, so that it stays under the broker's packet limit of 64 KiB; retries of a database that fails begin at
    `retry_seconds_min` and double up to `retry_seconds_max`; `keepalive_seconds` is MQTT's; `session_seconds`: how long the
    broker keeps what is for a process that is away."""

    batch_max: int = 500
    linger_seconds: float = 0.003
    receipt_items_max: int = 200
    retry_seconds_min: float = 0.1
    retry_seconds_max: float = 5.0
    keepalive_seconds: int = 30
    session_seconds: int = 15

    def __post_init__(self) -> None:
        """Raises ValueError naming the setting that cannot be."""
        if not 1 <= self.batch_max <= 10_000:
            raise ValueError("batch_max must lie between 1 and 10,000 messages")
        if not 0 <= self.linger_seconds <= 1:
            raise ValueError("linger_seconds must lie between 0 and 1")
        if not 1 <= self.receipt_items_max <= 300:
            raise ValueError(
                "receipt_items_max must lie between 1 and 300, or receipts outgrow the broker's packet limit"
            )
        if not 0 <= self.session_seconds <= 3600:
            raise ValueError("session_seconds must lie between 0 and 3,600")
        if not 0 < self.retry_seconds_min <= self.retry_seconds_max:
            raise ValueError("retry_seconds_min must be positive and not above retry_seconds_max")
