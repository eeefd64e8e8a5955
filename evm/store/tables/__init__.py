"""Every table, in one schema. Not queries: those stand in evm/store/<noun>.py. Only evm.store sees this package."""

from evm.store.tables import accounts, alerts, base, evidence, money, people, plans, rosters, visits

metadata = base.metadata

__all__ = ["accounts", "alerts", "base", "evidence", "metadata", "money", "people", "plans", "rosters", "visits"]
