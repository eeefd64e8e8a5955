"""Our own phones: a literal message as it stands on the wire, and the claim it makes."""

from datetime import UTC, datetime

from devices.types import TYPES, Sender
from devices.types.popback_v1 import POPBACK_V1
from evm.domain.evidence import EventKind, Method, TaskOutcome
from evm.domain.place import Position
from tests.factories import NINE, PROVIDER

CHECK_OUT = (
    b'{"payload":"{\\"v\\":1,\\"event_id\\":\\"0190b0a0-1111-7222-8333-444455556666\\",\\"provider\\":\\"kindly\\",\\"device\\":\\"p1\\",'
    b'\\"sequence\\":42,\\"previous\\":\\"9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08\\",\\"kind\\":\\"check_out\\",'
    b'\\"captured_at\\":\\"2026-11-02T09:31:07.250+00:00\\",\\"monotonic_ms\\":9001,\\"boot_id\\":\\"boot-1\\",\\"challenge\\":\\"c-9\\",'
    b'\\"challenge_monotonic_ms\\":8000,\\"challenge_boot_id\\":\\"boot-1\\",\\"worker\\":\\"w1\\",\\"customer\\":\\"c1\\",\\"visit\\":\\"v1\\",'
    b'\\"method\\":\\"gps\\",\\"position_digest\\":\\"e2d2d01711855995e36a3d5d414668b23a75d92a2f274d6ab569c1e17c3bc4a8\\",'
    b'\\"tasks\\":[{\\"code\\":\\"meal\\",\\"done\\":true},{\\"code\\":\\"medicine\\",\\"done\\":false,\\"reason\\":\\"refused\\"}],'
    b'\\"app_version\\":\\"1.4.2\\"}","position":"{\\"salt\\":\\"0011223344556677\\",\\"lat\\":53.45,\\"lon\\":-2.22,\\"accuracy_m\\":7.0,'
    b'\\"mock\\":false}"}'
)


def test_a_literal_check_out_becomes_the_claim_it_makes() -> None:
    """Broken if any field of the wire is lost or changes its meaning."""
    sender = Sender(provider=PROVIDER, device="p1", worker="w1")
    (decoded,) = POPBACK_V1.decode(CHECK_OUT, sender, NINE)
    claim = decoded.claim
    assert claim.event_id == "0190b0a0-1111-7222-8333-444455556666"
    assert (claim.kind, claim.method, claim.sequence) == (EventKind.CHECK_OUT, Method.GPS, 42)
    assert claim.captured_at == datetime(2026, 11, 2, 9, 31, 7, 250_000, tzinfo=UTC)
    assert (claim.monotonic_ms, claim.boot_id, claim.challenge) == (9001, "boot-1", "c-9")
    assert (claim.challenge_monotonic_ms, claim.challenge_boot_id) == (8000, "boot-1")
    assert (claim.worker, claim.customer, claim.visit) == ("w1", "c1", "v1")
    assert claim.position == Position(latitude=53.45, longitude=-2.22, accuracy_m=7.0)
    assert claim.tasks == (
        TaskOutcome(code="meal", done=True),
        TaskOutcome(code="medicine", done=False, reason="refused"),
    )
    assert claim.app_version == "1.4.2"
    assert not claim.server_timed


def test_every_type_has_its_own_name() -> None:
    """Broken if two decoders answer to one name in the device table."""
    names = [device_type.name for device_type in TYPES]
    assert names == ["popback_v1", "owntracks", "telephony"]
