"""The people of one transfer and their planned visits handed over, and both providers told. Not when (evm.services.transfers) and not
rosters (evm.services.transfer_rosters)."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from evm.domain.ids import CustomerId, VisitId, WorkerId
from evm.domain.transfer import Passed, Transfer, TransferState
from evm.store import ingest_state, outbox, transfers
from evm.store.outbox import OutboxRow


def pass_people(session: Session, *, due: Transfer, now: datetime) -> tuple[dict[str, Any], tuple[VisitId, ...]]:
    """Hand the people of one transfer over with their planned visits; what was done, and the visits."""
    customers = [
        CustomerId(one) for one in transfers.passing(session, transfer_id=due.transfer_id, kind=Passed.CUSTOMER)
    ]
    workers = [WorkerId(one) for one in transfers.passing(session, transfer_id=due.transfer_id, kind=Passed.WORKER)]
    done = transfers.move_on(
        session, transfer_id=due.transfer_id, was=TransferState.ORDERED, becomes=TransferState.APPLIED, now=now
    )
    assert done, "it was claimed"
    lost = transfers.give_up_pins(session, worker_ids=workers, at=due.to_provider)
    transfers.hand_over(session, kind=Passed.CUSTOMER, ids=customers, was=due.from_provider, to=due.to_provider)
    transfers.hand_over(session, kind=Passed.WORKER, ids=workers, was=due.from_provider, to=due.to_provider)
    visits = transfers.hand_over_visits(session, customer_ids=customers, transfer=due)
    concluded = transfers.reconciled_since(session, customer_ids=customers, since=due.on_day)
    ingest_state.queue_reconcile(session, pairs=concluded, now=now)
    answer = {
        "customers": len(customers),
        "workers": len(workers),
        "visits": len(visits),
        "visits_unfilled": 0,
        "rosters": 0,
        "rosters_to_make": [],
        "pins_lost": list(lost),
    }
    return answer, visits


def tell_providers(session: Session, *, due: Transfer, answer: Mapping[str, Any], now: datetime) -> None:
    """Tell both providers what was done, and what they must do."""
    words = (
        f"{answer['customers']} customers and {answer['workers']} care workers passed from {due.from_provider} to "
        f"{due.to_provider} on {due.on_day.isoformat()} with {answer['visits']} planned visits."
    )
    if answer["visits_unfilled"]:
        words += (
            f" On {answer['visits_unfilled']} visits a care worker and the customer are no longer with the same provider: "
            "put somebody on them."
        )
    if answer["rosters_to_make"]:
        words += f" Make these rosters anew: {', '.join(answer['rosters_to_make'])}."
    if answer["pins_lost"]:
        words += f" Give a new PIN to {', '.join(answer['pins_lost'])}: theirs was taken."
    rows = [
        OutboxRow(
            channel=outbox.NOTIFY,
            key=f"transfer:{due.transfer_id}:{provider}",
            address=provider,
            body={"kind": "provider change", "words": words, "transfer": due.transfer_id},
            created_at=now,
        )
        for provider in (due.from_provider, due.to_provider)
    ]
    outbox.add(session, rows=rows)
