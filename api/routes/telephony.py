"""The webhook of landline calls (Twilio Voice): signature, ingest, then what the caller hears. Not its decoding (devices.types)."""

import hmac
from typing import Any, Literal

import structlog
from fastapi import APIRouter, Request, Response
from fastapi.concurrency import run_in_threadpool
from twilio.twiml.voice_response import VoiceResponse

from api.problems import Problem
from api.site import Site, site_of
from devices.ingest import Ingest, Received
from devices.messages.strict_json import Refused
from devices.types.telephony import parse_form, signature_is_valid

router = APIRouter(tags=["devices"])
log = structlog.get_logger(__name__)
PATH = "/v1/telephony/voice"


@router.post(
    PATH,
    summary="A landline call",
    response_class=Response,
    responses={
        200: {"content": {"application/xml": {}}},
        403: {"description": "Not signed by Twilio for this address"},
    },
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/x-www-form-urlencoded": {"schema": {"type": "object"}}},
        }
    },
)
async def voice(request: Request) -> Response:
    """Checks in or out by a call from the customer's line. The call is stored before it is answered; a replayed one is stored once."""
    body = await request.body()
    return await run_in_threadpool(_voice, site_of(request), request.headers.get("x-twilio-signature", ""), body)


def _voice(site: Site, signature: str, body: bytes) -> Response:
    form = _signed_form(site, signature, body)
    if site.ingest is None:
        raise Problem(503, "no-ingest", "This process takes no calls.", headers={"Retry-After": "5"})
    said = _take(site.ingest, body)
    answer: Any = VoiceResponse()  # type: ignore[no-untyped-call]  # twilio has no types
    if said == "unknown" and "Digits" not in form:
        asked = answer.gather(input="dtmf", finish_on_key="#", action=site.settings.public_url + PATH, method="POST")
        asked.say("Please type your PIN, then the hash key.", language="en-GB")
    elif said != "stored":
        answer.say("Your call was not understood. Please ring your branch.", language="en-GB")
    elif "Digits" in form:
        answer.say("Thank you. Your visit is recorded.", language="en-GB")
    else:
        answer.reject(reason="busy")  # an unanswered call is enough, and costs the caller nothing
    return Response(str(answer), media_type="application/xml")


def _signed_form(site: Site, signature: str, body: bytes) -> dict[str, str]:
    """The form, when Twilio signed it for the configured public address (never for the one a proxy shows), else 403."""
    token = site.settings.telephony_auth_token
    try:
        form = parse_form(body)
    except Refused as refused:
        raise Problem(403, "signature", "Not signed for this address.") from refused
    if token is None or not signature_is_valid(
        auth_token=token.get_secret_value(),
        public_url=site.settings.public_url + PATH,
        form=form,
        signature=signature,
    ):
        log.warning(
            "a call with a wrong signature was refused", sha256=hmac.new(b"call", body, "sha256").hexdigest()[:16]
        )
        raise Problem(403, "signature", "Not signed for this address.")
    return form


def _take(ingest: Ingest, body: bytes) -> Literal["stored", "refused", "unknown"]:
    """What became of the call. "refused" is kept in quarantine; "unknown": nobody's own number was rung, so a PIN must say who calls."""
    replies = ingest.take([Received(provider="", device="", topic="telephony", message=body, channel="telephony")])
    if not replies:
        return "unknown"
    return "refused" if any(reply.receipt.refused for reply in replies) else "stored"
