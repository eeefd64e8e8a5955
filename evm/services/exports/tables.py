"""The tables that can be exported, by name, with what each needs. Not their CSV form (csv_text) and not who may have them (api)."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final

from sqlalchemy.orm import Session

from evm.domain.policy import Policy
from evm.services.exports import care, payroll
from evm.services.exports.csv_text import Cell
from evm.store.screens import Scope

PAYROLL, PAYROLL_LINES, COMMISSIONED, ACTUALS = "payroll", "payroll-lines", "commissioned", "actuals"
NAMES: Final = (PAYROLL, PAYROLL_LINES, COMMISSIONED, ACTUALS)
DAYS_MAX: Final = 400


class ExportRefused(ValueError):  # noqa: N818 -- named for what is wrong
    """An export that cannot be made as asked for: the field at fault and what to do."""

    def __init__(self, *, field: str, words: str) -> None:
        super().__init__(f"{field}: {words}")
        self.field = field
        self.words = words


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Which table of which days under which scope. `until` is the first day after."""

    name: str
    scope: Scope
    since: date
    until: date
    run_gap_minutes: int = payroll.RUN_GAP_MINUTES


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Columns, and rows read as they are asked for."""

    columns: tuple[str, ...]
    rows: Iterator[Sequence[Cell]]


def check(asked: Asked) -> None:
    """ExportRefused unless the table is known, the days are in order and not too many, and the scope is one the table has a meaning in."""
    if asked.name not in NAMES:
        raise ExportRefused(field="name", words=f"is none of {', '.join(NAMES)}")
    if not asked.since < asked.until:
        raise ExportRefused(field="until", words="must be after since: it is the first day no longer exported")
    if (asked.until - asked.since).days > DAYS_MAX:
        raise ExportRefused(field="until", words=f"is more than {DAYS_MAX} days after since: export in parts")
    if asked.name in {PAYROLL, PAYROLL_LINES} and (
        asked.scope.provider_id is None or asked.scope.locality_id is not None
    ):
        words = "payroll is one provider's, whole: a part of a worker's day would pay her wrongly"
        raise ExportRefused(field="provider", words=words)


def table(session: Session, *, asked: Asked, policy: Policy) -> Table:
    """The table asked for. Nothing is read before its rows are. ExportRefused as `check`."""
    check(asked)
    scope, since, until = asked.scope, asked.since, asked.until
    if asked.name == ACTUALS:
        return Table(columns=care.ACTUALS, rows=care.actuals(session, scope=scope, since=since, until=until))
    if asked.name == COMMISSIONED:
        return Table(columns=care.COMMISSIONED, rows=care.commissioned(session, scope=scope, since=since, until=until))
    lines = payroll.lines(
        session, scope=scope, since=since, until=until, policy=policy, run_gap_minutes=asked.run_gap_minutes
    )
    if asked.name == PAYROLL_LINES:
        return Table(columns=payroll.LINES, rows=payroll.line_rows(lines))
    return Table(columns=payroll.TOTALS, rows=payroll.totals(lines, since=since, until=until))
