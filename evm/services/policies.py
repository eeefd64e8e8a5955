"""Reads a council's policy from TOML and says exactly what is wrong with it. Not the thresholds' meaning (evm.domain.policy)."""

import math
import tomllib
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from evm.domain.period import UnknownZone, zone_of
from evm.domain.policy import Policy


class PolicyRefused(ValueError):  # noqa: N818 -- named for what is wrong
    """The policy cannot be used. `field` is where, `words` what is wrong and what would do."""

    def __init__(self, *, field: str, words: str) -> None:
        self.field = field
        self.words = words
        super().__init__(f"policy, {field}: {words}")


def load_policy(*, path: Path) -> Policy:
    """The policy of a TOML file with one `[policy]` table; thresholds it does not name keep their defaults."""
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise PolicyRefused(field=path.name, words=f"this is not TOML: {error}") from error
    table = found.get("policy")
    if not isinstance(table, dict):
        raise PolicyRefused(field="policy", words="the file needs a [policy] table")
    return policy_of(table)


def policy_of(values: Mapping[str, Any]) -> Policy:
    """The policy with these thresholds. Raises `PolicyRefused` naming the first field that is unknown or makes no sense."""
    kinds = {field.name: field.type for field in fields(Policy)}
    for name in values:
        if name not in kinds:
            raise PolicyRefused(field=name, words=f"there is no such threshold; there are {', '.join(sorted(kinds))}")
    checked = {name: _checked(name, kinds[name], value) for name, value in values.items()}
    return Policy(**checked)


def _checked(name: str, kind: Any, value: Any) -> Any:
    if name == "zone":
        return _zone(value)
    if kind is int:
        return _whole(name, value)
    return _number(name, value)


def _zone(value: Any) -> str:
    try:
        zone_of(str(value))
    except UnknownZone as error:
        raise PolicyRefused(field="zone", words=str(error)) from error
    return str(value)


def _whole(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int):
        raise PolicyRefused(field=name, words=f"a whole number is needed, not {value!r}")
    if not 0 <= value <= 1_000_000:
        raise PolicyRefused(field=name, words=f"{value} is out of reach: 0 to 1,000,000")
    return value


def _number(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise PolicyRefused(field=name, words=f"a number is needed, not {value!r}")
    if name.endswith(("_share_min", "_rate")) or name == "not_delivered_share_max":
        if not 0 <= value <= 1:
            raise PolicyRefused(field=name, words=f"a share is between 0 and 1, not {value}")
    elif not 0 < value <= 1_000_000:
        raise PolicyRefused(field=name, words=f"{value} is out of reach: above 0, at most 1,000,000")
    return float(value)
