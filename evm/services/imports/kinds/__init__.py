"""Every kind of file there is, one a module, in the order in which a new agency takes them in."""

from typing import Final

from evm.services.imports.kind import ImportKind
from evm.services.imports.kinds import (
    absences,
    agreements,
    branches,
    claim,
    contracts,
    councils,
    customers,
    feed,
    localities,
    next_of_kin,
    packages,
    providers,
    refs,
    task_plans,
    workers,
)

KINDS: Final[tuple[ImportKind, ...]] = (
    councils.COUNCILS,
    providers.PROVIDERS,
    branches.BRANCHES,
    localities.LOCALITIES,
    contracts.CONTRACTS,
    customers.CUSTOMERS,
    next_of_kin.NEXT_OF_KIN,
    workers.WORKERS,
    packages.PACKAGES,
    task_plans.TASK_PLANS,
    agreements.AGREEMENTS,
    absences.ABSENCES,
    refs.REFS,
    claim.CLAIM,
    feed.FEED,
)
