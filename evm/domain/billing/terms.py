"""Agreements as plain mappings (what TOML and JSON give) and back, validated. Not where they are kept (evm.store.money).

Numbers with a fraction are texts ("45.5", "91/2"), never floats, so that nothing is lost on the way."""

from collections.abc import Callable, Mapping
from datetime import date
from enum import StrEnum
from fractions import Fraction
from typing import Any, Final, TypeVar

from evm.domain.billing.agreement import Agreement, CancellationCharge, SecondSlot
from evm.domain.billing.price import RULE_BY_NAME
from evm.domain.evidence import Grade
from evm.domain.ids import AgreementId, CouncilId, ProviderId, is_id
from evm.domain.money import exact_number
from evm.domain.plan import CancelledBy

RATE_POUNDS_PER_HOUR_MAX: Final = 200
TOLERANCE_MINUTES_MAX: Final = 240
NOTICE_HOURS_MAX: Final = 24 * 28
VERSION_MAX: Final = 1_000_000

Kind = TypeVar("Kind", bound=StrEnum)
Value = TypeVar("Value")


class AgreementRefused(ValueError):  # noqa: N818 -- a refused command, named as what happened
    """The terms cannot be used. `field` is the key at fault, `words` what is wrong and what to write instead."""

    def __init__(self, *, field: str, words: str) -> None:
        super().__init__(f"{field}: {words}")
        self.field = field
        self.words = words


def agreement_of_terms(terms: Mapping[str, Any]) -> Agreement:
    """The agreement that `terms` describe. Every key of `Agreement` by its name; those with a default may be left out.
    AgreementRefused names the first field at fault."""
    _refuse_unknown(terms, known=READERS, where="")
    for field in REQUIRED:
        if field not in terms:
            raise AgreementRefused(field=field, words="is missing; every agreement states it")
    return Agreement(**{field: READERS[field](field, value) for field, value in terms.items()})


def terms_of_agreement(agreement: Agreement) -> dict[str, Any]:
    """The plain mapping that `agreement_of_terms` reads back as the same agreement; only texts, numbers, lists and None."""
    return {
        "agreement_id": agreement.agreement_id,
        "version": agreement.version,
        "council": agreement.council,
        "provider": agreement.provider,
        "effective_from": agreement.effective_from.isoformat(),
        "rate_pence_per_minute": str(agreement.rate_pence_per_minute),
        "rules": list(agreement.rules),
        "tolerance_minutes": agreement.tolerance_minutes,
        "second_slot": agreement.second_slot.value,
        "grades_time": sorted(agreement.grades_time),
        "grades_place": sorted(agreement.grades_place),
        "cancellations": [
            {"by": charge.by.value, "notice_hours_max": charge.notice_hours_max, "share": str(charge.share)}
            for charge in agreement.cancellations
        ],
        "shadow_until": None if agreement.shadow_until is None else agreement.shadow_until.isoformat(),
    }


def _refuse_unknown(terms: Mapping[str, Any], *, known: Mapping[str, object], where: str) -> None:
    for field in terms:
        if field not in known:
            words = f"is not a term of an agreement; the terms are {', '.join(sorted(known))}"
            raise AgreementRefused(field=f"{where}{field}", words=words)


def _id(field: str, value: Any) -> str:
    if not isinstance(value, str) or not is_id(value):
        raise AgreementRefused(field=field, words="must be 1 to 32 lower-case letters, digits and hyphens")
    return value


def _whole(least: int, most: int) -> Callable[[str, Any], int]:
    def read(field: str, value: Any) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not least <= value <= most:
            raise AgreementRefused(field=field, words=f"must be a whole number from {least} to {most}")
        return value

    return read


def _day(field: str, value: Any) -> date:
    if type(value) is date:
        return value
    try:
        return date.fromisoformat(value)
    except (TypeError, ValueError):
        raise AgreementRefused(field=field, words="must be a day written YYYY-MM-DD") from None


def _day_or_none(field: str, value: Any) -> date | None:
    return None if value is None else _day(field, value)


def _exact(field: str, value: Any) -> Fraction:
    text = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(text, str):
        raise AgreementRefused(field=field, words='must be an exact number in quotes, such as "45.5" or "91/2"')
    try:
        return exact_number(text)
    except ValueError as wrong:
        raise AgreementRefused(field=field, words=str(wrong)) from None


def _rate(field: str, value: Any) -> Fraction:
    rate = _exact(field, value)
    if rate <= 0:
        raise AgreementRefused(field=field, words="must be more than nought pence a minute")
    if rate * 60 > RATE_POUNDS_PER_HOUR_MAX * 100:
        words = f"is more than £{RATE_POUNDS_PER_HOUR_MAX} an hour; write pence a minute, for instance 45.5 for £27.30 an hour"
        raise AgreementRefused(field=field, words=words)
    return rate


def _share(field: str, value: Any) -> Fraction:
    share = _exact(field, value)
    if not 0 < share <= 1:
        raise AgreementRefused(field=field, words='must be a share above 0 and up to 1, such as "1/2"')
    return share


def _one_of(kind: type[Kind]) -> Callable[[str, Any], Kind]:
    def read(field: str, value: Any) -> Kind:
        if value not in [member.value for member in kind]:
            raise AgreementRefused(field=field, words=f"must be one of {', '.join(member.value for member in kind)}")
        return kind(value)

    return read


def _list(read: Callable[[str, Any], Value]) -> Callable[[str, Any], tuple[Value, ...]]:
    def read_list(field: str, value: Any) -> tuple[Value, ...]:
        if not isinstance(value, list | tuple):
            raise AgreementRefused(field=field, words="must be a list")
        return tuple(read(f"{field}[{place}]", item) for place, item in enumerate(value))

    return read_list


def _grades(field: str, value: Any) -> frozenset[Grade]:
    grades = frozenset(_list(_one_of(Grade))(field, value))
    if not grades:
        raise AgreementRefused(field=field, words="must name at least one grade, or nothing would ever pay")
    return grades


def _rules(field: str, value: Any) -> tuple[str, ...]:
    names = _list(_rule)(field, value)
    if len(set(names)) != len(names) or not names:
        raise AgreementRefused(field=field, words="must name at least one rule, and none twice")
    if RULE_BY_NAME[names[0]].takes_off:
        words = f"{names[0]} only takes minutes off; name a rule that charges before it, such as actual_minutes"
        raise AgreementRefused(field=field, words=words)
    return names


def _rule(field: str, value: Any) -> str:
    if not isinstance(value, str) or value not in RULE_BY_NAME:
        raise AgreementRefused(field=field, words=f"must be one of {', '.join(RULE_BY_NAME)}")
    return value


def _cancellation(field: str, value: Any) -> CancellationCharge:
    if not isinstance(value, Mapping) or set(value) != {"by", "notice_hours_max", "share"}:
        raise AgreementRefused(field=field, words="must state by, notice_hours_max and share, and nothing else")
    return CancellationCharge(
        by=_one_of(CancelledBy)(f"{field}.by", value["by"]),
        notice_hours_max=_whole(1, NOTICE_HOURS_MAX)(f"{field}.notice_hours_max", value["notice_hours_max"]),
        share=_share(f"{field}.share", value["share"]),
    )


READERS: Final[Mapping[str, Callable[[str, Any], Any]]] = {
    "agreement_id": lambda field, value: AgreementId(_id(field, value)),
    "version": _whole(1, VERSION_MAX),
    "council": lambda field, value: CouncilId(_id(field, value)),
    "provider": lambda field, value: ProviderId(_id(field, value)),
    "effective_from": _day,
    "rate_pence_per_minute": _rate,
    "rules": _rules,
    "tolerance_minutes": _whole(0, TOLERANCE_MINUTES_MAX),
    "second_slot": _one_of(SecondSlot),
    "grades_time": _grades,
    "grades_place": _grades,
    "cancellations": _list(_cancellation),
    "shadow_until": _day_or_none,
}
REQUIRED: Final = ("agreement_id", "version", "council", "provider", "effective_from", "rate_pence_per_minute")
