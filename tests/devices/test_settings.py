"""Ingest's settings refuse what cannot be, and a receipt never outgrows the broker's packet limit."""

import pytest

from devices.messages.v1 import Receipt, RefusedItem, StoredItem
from devices.mqtt import _parts
from devices.settings import IngestSettings

UUID = "0190b0a0-0000-7000-8000-000000000001"


@pytest.mark.parametrize(
    "wrong",
    [
        {"batch_max": 0},
        {"linger_seconds": -0.1},
        {"receipt_items_max": 301},
        {"retry_seconds_min": 0.0},
        {"retry_seconds_min": 9.0},
    ],
)
def test_a_setting_that_cannot_be_is_refused_by_name(wrong: dict[str, float]) -> None:
    """Broken if a wrong setting is found out in the middle of a day."""
    with pytest.raises(ValueError, match=next(iter(wrong))):
        IngestSettings(**wrong)  # type: ignore[arg-type]


def test_a_long_receipt_goes_out_in_parts_under_the_packet_limit() -> None:
    """Broken if a phone with a full outbox gets a receipt that the broker cuts it off for."""
    stored = tuple(StoredItem(event_id=UUID, sha256="a" * 64, index=2**62) for _ in range(1001))
    refused = tuple(RefusedItem(event_id=UUID, sha256="b" * 64, reason="DUPLICATE") for _ in range(301))
    whole = Receipt(stored=stored, refused=refused, challenge="c" * 64, resend_from=2**62)
    parts = _parts(whole, size=IngestSettings().receipt_items_max)
    assert sum(len(part.stored) for part in parts) == 1001
    assert sum(len(part.refused) for part in parts) == 301
    assert [part.challenge for part in parts if part.challenge] == ["c" * 64]
    assert max(len(part.model_dump_json(exclude_none=True)) for part in parts) < 65_536
