"""What a landline call leaves open: whose it is, and whether its caller comes or goes. Not the reading of the webhook
(devices.types.telephony).

A call says only who rings from where. The worker's latest attendance event at that customer within `STAY_HOURS_MAX` says the rest:
after a check-in the next call is the check-out. Calls are timed by the server, so their order of arrival is their order."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy.orm import Session

from devices.messages.strict_json import Refused
from devices.types import Decoded
from devices.types.telephony import e164, parse_form
from evm.domain.evidence import Claim, EventKind
from evm.domain.ids import CustomerId, ProviderId, WorkerId
from evm.store import evidence, people, transfers

DEVICE: Final = "landline"
"""The device id under which a provider's calls stand in the log."""

STAY_HOURS_MAX: Final = 12


def provider_of_call(session: Session, *, message: bytes, default: str | None) -> str | None:
    """Whose call it is: the provider of the worker whose own number was dialled, else `default`. None: nobody's."""
    try:
        dialled = e164(parse_form(message).get("To", ""))
    except Refused:
        return default  # the decoder will say why; here only its owner is asked for
    found = people.workers_of_numbers(session, numbers=[dialled] if dialled else [])
    return found[dialled][0] if dialled in found else default


def complete(session: Session, *, decoded: Decoded, now: datetime, within: tuple[Claim, ...] = ()) -> Decoded | None:
    """The call with its direction, or None when it is not yet an event: a shared number was rung and no PIN typed so far.

    `within` are claims of the same batch that stand before it and are not in the log yet."""
    claim = decoded.claim
    worker = _worker(session, claim)
    if worker is None and claim.worker_pin is None:
        return None
    customers = people.customers_of_line(session, line=claim.line) if claim.line else ()
    if worker is None or not customers:
        return decoded
    came = _is_inside(session, worker=worker, customers=customers, now=now, within=within, line=claim.line)
    return replace(decoded, claim=replace(claim, kind=EventKind.CHECK_OUT)) if came else decoded


def _worker(session: Session, claim: Claim) -> WorkerId | None:
    if claim.worker is not None:
        return claim.worker
    if claim.worker_number is not None:
        found = people.worker_of_number(session, number=claim.worker_number)
        if found is not None:
            return found
    if claim.worker_pin is None:
        return None
    typed = (ProviderId(claim.provider), claim.worker_pin)
    found = people.worker_of_pin(session, provider_id=typed[0], pin=typed[1])
    return found or transfers.former_pins(session, pins={typed}).get(typed)


def _is_inside(
    session: Session,
    *,
    worker: WorkerId,
    customers: tuple[CustomerId, ...],
    now: datetime,
    within: tuple[Claim, ...],
    line: str | None,
) -> bool:
    """Whether the newest check-in or check-out of this worker at these customers is a check-in."""
    latest: EventKind | None = None
    since = now - timedelta(hours=STAY_HOURS_MAX)
    for event in evidence.evidence_for(session, worker_ids=[worker], since=since, until=now + timedelta(seconds=1)):
        if event.customer in customers and event.kind in (EventKind.CHECK_IN, EventKind.CHECK_OUT):
            latest = event.kind
    for claim in within:
        if claim.line == line and _worker(session, claim) == worker:
            latest = claim.kind
    return latest is EventKind.CHECK_IN
