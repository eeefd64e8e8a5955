"""Whether promised pop-backs are kept: noted as rosters are published. Not the promising (evm.services.popback)."""

from collections.abc import Collection
from dataclasses import replace

from sqlalchemy.orm import Session

from evm.domain.ids import VisitId
from evm.domain.popback import PopbackState
from evm.store import plans


def note_kept(session: Session, *, visit_ids: Collection[VisitId]) -> int:
    """Mark the promised requests of these visits, every slot of which a published roster fills, as kept; how many were not yet."""
    promised = plans.list_popback_requests(session, visit_ids=visit_ids, state=PopbackState.PROMISED)
    for request in promised:
        plans.update_popback_request(session, request=replace(request, state=PopbackState.KEPT))
    return len(promised)
