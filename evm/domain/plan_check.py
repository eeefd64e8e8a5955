"""Whether a task plan can be afforded within its support plan, and whether it serves what was signed off (background S6).
Not a charge: what is billed follows from evidence (billing), what a plan would cost follows from the plan alone."""

from dataclasses import dataclass
from fractions import Fraction

from evm.domain.plan import Outcome, SupportPlan, TaskPlan, VisitPattern


class PlanInvalid(ValueError):  # noqa: N818 -- named for what is wrong
    """A task plan that cannot stand: the field that is wrong and the sentence that says so."""

    def __init__(self, *, field: str, words: str) -> None:
        super().__init__(f"{field}: {words}")
        self.field = field
        self.words = words


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanCheck:
    """A task plan beside its support plan, for a week without bank holidays.

    `minutes_week` counts every worker of a double-up; `cost_week_pence` is exact minutes times rate, rounded once, half up.
    `outcomes_unserved` were signed off and no task serves them; `outcomes_added` are served and were never signed off."""

    minutes_week: int
    commissioned_minutes_week: int
    cost_week_pence: int
    budget_week_pence: int
    outcomes_unserved: tuple[Outcome, ...]
    outcomes_added: tuple[Outcome, ...]

    @property
    def over_pence(self) -> int:
        """By how much the plan costs more than the week's budget; 0 when it can be afforded."""
        return max(0, self.cost_week_pence - self.budget_week_pence)

    @property
    def affordable(self) -> bool:
        """Whether the week's budget covers the plan."""
        return self.over_pence == 0


def check_plan(*, task_plan: TaskPlan, support_plan: SupportPlan, rate_pence_per_minute: Fraction) -> PlanCheck:
    """Compare a task plan with the support plan it must keep within, at one exact rate per worker-minute."""
    if rate_pence_per_minute <= 0:
        raise PlanInvalid(field="rate_pence_per_minute", words="a rate is more than nothing")
    check_patterns(task_plan=task_plan)
    minutes = sum(_minutes_week(pattern) for pattern in task_plan.patterns)
    served = frozenset(task.outcome for pattern in task_plan.patterns for task in pattern.tasks)
    return PlanCheck(
        minutes_week=minutes,
        commissioned_minutes_week=support_plan.commissioned_minutes_week,
        cost_week_pence=int(minutes * rate_pence_per_minute + Fraction(1, 2)),
        budget_week_pence=support_plan.budget_week_pence,
        outcomes_unserved=tuple(sorted(support_plan.outcomes - served)),
        outcomes_added=tuple(sorted(served - support_plan.outcomes)),
    )


def check_patterns(*, task_plan: TaskPlan) -> None:
    """Refuse a task plan that no week can follow: raises PlanInvalid for the first field that is wrong."""
    names = [pattern.slot_name for pattern in task_plan.patterns]
    for name in names:
        if names.count(name) > 1:
            raise PlanInvalid(
                field=f"patterns[{name}]", words="two visits of one plan have one name; ask for two workers"
            )
    for pattern in task_plan.patterns:
        _check_pattern(pattern)


def _check_pattern(pattern: VisitPattern) -> None:
    where = f"patterns[{pattern.slot_name}]"
    if not pattern.slot_name:
        raise PlanInvalid(field=f"{where}.slot_name", words="a visit has a name, such as breakfast")
    if not 1 <= pattern.minutes <= 1440:
        raise PlanInvalid(
            field=f"{where}.minutes", words=f"{pattern.minutes} minutes: a visit lasts 1 to 1,440 minutes"
        )
    if not 1 <= pattern.workers_needed <= 2:
        raise PlanInvalid(
            field=f"{where}.workers_needed", words=f"{pattern.workers_needed} workers: one or two can be sent"
        )
    if pattern.flexible_minutes < 0:
        raise PlanInvalid(field=f"{where}.flexible_minutes", words="flexibility is 0 minutes or more")
    if not pattern.weekdays or not pattern.weekdays <= frozenset(range(7)):
        raise PlanInvalid(field=f"{where}.weekdays", words="name at least one weekday, 0 (Monday) to 6 (Sunday)")


def _minutes_week(pattern: VisitPattern) -> int:
    return len(pattern.weekdays) * pattern.minutes * pattern.workers_needed
