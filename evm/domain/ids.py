"""Names for identifiers, so that a worker's is never passed where a customer's is meant. Not their generation.

Every identifier is a string that matches `ID_PATTERN` (protocol v1): lower-case letters, digits and hyphens, 1 to 32 long;
an event's is a UUID (version 7, made by the phone) in its canonical lower-case form.
"""

import re
from typing import Final, NewType

CouncilId = NewType("CouncilId", str)
ProviderId = NewType("ProviderId", str)
BranchId = NewType("BranchId", str)
LocalityId = NewType("LocalityId", str)
CustomerId = NewType("CustomerId", str)
WorkerId = NewType("WorkerId", str)
VisitId = NewType("VisitId", str)
DeviceId = NewType("DeviceId", str)
EventId = NewType("EventId", str)
AgreementId = NewType("AgreementId", str)

ID_PATTERN: Final = re.compile(r"[a-z0-9-]{1,32}")


def is_id(text: str) -> bool:
    """Whether `text` can stand in a topic, a credential and a file name."""
    return ID_PATTERN.fullmatch(text) is not None
