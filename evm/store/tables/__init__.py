"""Every table, in one schema. Not queries: those stand in evm/store/<noun>.py. Only evm.store sees this package."""

from evm.store.tables import (
    accounts,
    alerts,
    areas,
    base,
    epochs,
    evidence,
    feeds,
    imports,
    money,
    people,
    plans,
    rosters,
    transfers,
    visits,
)

metadata = base.metadata

__all__ = [
    "accounts",
    "alerts",
    "areas",
    "base",
    "epochs",
    "evidence",
    "feeds",
    "imports",
    "metadata",
    "money",
    "people",
    "plans",
    "rosters",
    "transfers",
    "visits",
]
