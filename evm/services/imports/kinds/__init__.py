"""Every kind of file there is, one a module, in the order in which a new agency takes them in."""

from typing import Final

from evm.services.imports.kind import ImportKind
from evm.services.imports.kinds import claim, customers, named, next_of_kin, refs, workers

KINDS: Final[tuple[ImportKind, ...]] = (
    named.COUNCILS,
    named.PROVIDERS,
    named.BRANCHES,
    customers.CUSTOMERS,
    next_of_kin.NEXT_OF_KIN,
    workers.WORKERS,
    refs.REFS,
    claim.CLAIM,
)
