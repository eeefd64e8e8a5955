"""Events over HTTP: the phones' way when MQTT is shut. The same envelopes, the same ingest, the same receipts. Not decoding (devices)."""

import base64
import binascii
from typing import Annotated

import orjson
from fastapi import APIRouter, Depends, Request, Response
from fastapi.concurrency import run_in_threadpool

from api.problems import Problem
from api.site import site_of
from devices import identity
from devices.ingest import Ingest, Received
from devices.messages.v1 import Envelope, Receipt
from evm.store.people import DeviceRow

router = APIRouter(tags=["devices"])
ENVELOPES_MAX = 50
REALM = {"WWW-Authenticate": 'Basic realm="popback device", charset="UTF-8"'}


def device_of(request: Request) -> DeviceRow:
    """The enrolled device whose own credential came by HTTP Basic (`provider.device`), else 401."""
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    username, password = _credentials(encoded) if scheme.lower() == "basic" else ("", "")
    if username:
        with site_of(request).reading() as session:
            device = identity.verify(session, username=username, password=password)
        if device is not None:
            return device
    raise Problem(401, "device", "No enrolled device has these credentials.", headers=REALM)


def _credentials(encoded: str) -> tuple[str, str]:
    if len(encoded) > 1024:
        return "", ""
    try:
        username, _, password = base64.b64decode(encoded, validate=True).decode("utf-8").partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return username, password


@router.post(
    "/v1/events",
    response_model=Receipt,
    summary="Send events from a device",
    openapi_extra={
        "security": [{"device": []}],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {
                        "oneOf": [
                            Envelope.model_json_schema(),
                            {
                                "type": "array",
                                "items": Envelope.model_json_schema(),
                                "minItems": 1,
                                "maxItems": ENVELOPES_MAX,
                            },
                        ]
                    }
                }
            },
        },
    },
)
async def take_events(request: Request, device: Annotated[DeviceRow, Depends(device_of)]) -> Response:
    """One envelope or up to 50. What an envelope holds wrongly is refused in its receipt, not by the status: the phone must hear of
    each event. Idempotent: the same event again gets its original receipt again."""
    ingest = site_of(request).ingest
    if ingest is None:
        raise Problem(503, "no-ingest", "This process takes no events.", headers={"Retry-After": "5"})
    body = await request.body()
    return await run_in_threadpool(_take, ingest, device, body)


def _take(ingest: Ingest, device: DeviceRow, body: bytes) -> Response:
    value = orjson.loads(body)
    messages = [orjson.dumps(each) for each in value] if isinstance(value, list) else [body]
    if not 1 <= len(messages) <= ENVELOPES_MAX:
        raise Problem(422, "envelopes", f"Send 1 to {ENVELOPES_MAX} envelopes.")
    topic = f"popback/v1/{device.provider}/{device.device}/event"
    batch = [
        Received(provider=device.provider, device=device.device, topic=topic, message=message, channel="http")
        for message in messages
    ]
    replies = ingest.take(batch)
    assert len(replies) <= 1, "one device's batch has one receipt"
    receipt = replies[0].receipt if replies else Receipt()  # OwnTracks' own housekeeping holds no event
    return Response(receipt.model_dump_json(exclude_none=True), media_type="application/json")
