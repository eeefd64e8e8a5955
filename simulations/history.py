"""The history's happenings as stored evidence: what the devices of the 27 days before sent, resolved and graded by the simulation itself.
Not the played day, which comes through real devices (fleet)."""

import hashlib
import json
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from evm.domain.evidence import EventKind, Evidence, Grade, Method, Source, TaskOutcome
from evm.domain.ids import CustomerId, DeviceId, EventId, VisitId, WorkerId
from evm.domain.place import Position
from simulations.behaviour import Stay
from simulations.geography import Point, moved
from simulations.load import PROVIDER_ID
from simulations.people import SimCustomer
from simulations.truth import Truth, grade_place, grade_time
from simulations.world import random_for

LANDLINE_DEVICE: Final = "landline"
_METHODS: Final = {"popback_v1": Method.NFC, "owntracks": Method.GPS, "telephony": Method.LANDLINE}
_HEARD_AFTER: Final = timedelta(seconds=2)


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryRows:
    """Evidence with the bytes it came in, index by index."""

    evidence: tuple[Evidence, ...]
    payloads: tuple[bytes, ...]


def event_uuid(at: datetime, key: str) -> str:
    """A version 7 UUID of the instant `at` whose random part is drawn from `key`: the same event always has the same id."""
    drawn = int.from_bytes(hashlib.sha256(key.encode()).digest()[:10], "big")
    milliseconds = round(at.timestamp() * 1000)
    value = (milliseconds << 80) | (0x7 << 76) | ((drawn >> 62 & 0xFFF) << 64) | (0b10 << 62) | (drawn & (2**62 - 1))
    return str(uuid.UUID(int=value))


def history_rows(truth: Truth) -> HistoryRows:
    """Everything logged before the played day, in the order in which it was heard."""
    played = truth.world.scenario.played_day
    customers = {one.customer_id: one for one in truth.world.customers}
    rows = [
        row
        for stay in truth.happenings.stays
        if (stay.logged or stay.no_reply) and stay.call.day != played
        for row in _rows_of(truth, stay, customers[stay.call.customer_id])
    ]
    rows.sort(key=lambda row: (row[0].received_at, row[0].event_id))
    return HistoryRows(evidence=tuple(row[0] for row in rows), payloads=tuple(row[1] for row in rows))


def fix_near(home: Point, *, seed: int, key: str) -> Point:
    """A fix as a phone at this home gives it: some metres off, never the same twice."""
    rng = random_for(seed, f"fix {key}")
    return moved(home, east_m=rng.gauss(0, 12), north_m=rng.gauss(0, 12))


def _rows_of(truth: Truth, stay: Stay, customer: SimCustomer) -> Iterable[tuple[Evidence, bytes]]:
    if stay.no_reply:
        yield _row(truth, stay, customer, EventKind.NO_REPLY, stay.left)
        return
    yield _row(truth, stay, customer, EventKind.CHECK_IN, stay.arrived)
    if stay.check_out_logged:
        yield _row(truth, stay, customer, EventKind.CHECK_OUT, stay.left)


def _row(truth: Truth, stay: Stay, customer: SimCustomer, kind: EventKind, at: datetime) -> tuple[Evidence, bytes]:
    key = f"{stay.call.visit_id}|{stay.slot}|{kind}"
    event_id = event_uuid(at, key)
    names_visit = stay.device_type == "popback_v1" and stay.names_visit
    device = LANDLINE_DEVICE if stay.device_type == "telephony" else f"d-{stay.worker}"
    heard = stay.heard_at if stay.heard_at is not None and stay.heard_at > at else at + _HEARD_AFTER
    position = None
    if stay.device_type == "owntracks":
        fix = fix_near(customer.home, seed=truth.world.seed, key=key)
        position = Position(latitude=fix.latitude, longitude=fix.longitude, accuracy_m=15.0)
    payload = _payload(stay, customer, kind=kind, at=at, event_id=event_id, device=device)
    evidence = Evidence(
        event_id=EventId(event_id),
        sha256=hashlib.sha256(payload).hexdigest(),
        source=Source.IMPORT,
        provider=PROVIDER_ID,
        device=DeviceId(device),
        kind=kind,
        at=at,
        received_at=heard,
        method=Method.MANUAL if stay.tag == "none" else _METHODS[stay.device_type],
        grade_time=Grade(grade_time(stay)),
        grade_place=_place(stay, kind),
        worker=WorkerId(stay.worker),
        customer=CustomerId(customer.customer_id),
        visit=VisitId(stay.call.visit_id) if names_visit else None,
        position=position,
        tasks=_tasks(stay, kind),
    )
    return evidence, payload


def _place(stay: Stay, kind: EventKind) -> Grade:
    """The wrong tag is touched once, on arrival; a typed home is typed both times."""
    if stay.tag == "other" and kind is EventKind.CHECK_OUT:
        return Grade.A
    return Grade(grade_place(stay))


def _tasks(stay: Stay, kind: EventKind) -> tuple[TaskOutcome, ...]:
    if kind is not EventKind.CHECK_OUT or stay.device_type != "popback_v1":
        return ()
    return tuple(TaskOutcome(code=code, done=True) for code in stay.call.tasks)


def _payload(stay: Stay, customer: SimCustomer, *, kind: EventKind, at: datetime, event_id: str, device: str) -> bytes:
    said: dict[str, object] = {
        "v": 1,
        "event_id": event_id,
        "provider": PROVIDER_ID,
        "device": device,
        "kind": kind.value,
        "captured_at": at.isoformat(),
        "worker": stay.worker,
        "customer": customer.customer_id,
    }
    if stay.device_type == "popback_v1" and stay.names_visit:
        said["visit"] = stay.call.visit_id
    return json.dumps(said, separators=(",", ":")).encode()
