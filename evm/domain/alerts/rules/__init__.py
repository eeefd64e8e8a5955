"""Every alert rule there is, one a file. All of them look at every situation; each answers only to its own."""

from typing import Final

from evm.domain.alerts.rules import (
    assistance,
    missed_visit,
    no_reply,
    overdue_check_out,
    refused_medicine,
    unverified_attendance,
)
from evm.domain.alerts.situation import AlertRule

RULES: Final[tuple[AlertRule, ...]] = (
    missed_visit.RULE,
    unverified_attendance.RULE,
    overdue_check_out.RULE,
    assistance.RULE,
    no_reply.RULE,
    refused_medicine.RULE,
)
