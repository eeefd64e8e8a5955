"""A council's thresholds are read exactly, and what is wrong with them is said by field."""

from pathlib import Path

import pytest

from evm.domain.policy import Policy
from evm.services.policies import PolicyRefused, load_policy, policy_of


def test_a_policy_file_changes_what_it_names_and_nothing_else(tmp_path: Path) -> None:
    """A threshold that silently kept its default would judge visits by another council's rules."""
    path = tmp_path / "policy.toml"
    path.write_text('[policy]\nlate_minutes_max = 20\ncar_kmh = 30\nzone = "Europe/Belfast"\n')
    assert load_policy(path=path) == Policy(late_minutes_max=20, car_kmh=30.0, zone="Europe/Belfast")


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"late_minute_max": 20}, "late_minute_max"),
        ({"late_minutes_max": "20"}, "late_minutes_max"),
        ({"late_minutes_max": 20.5}, "late_minutes_max"),
        ({"late_minutes_max": True}, "late_minutes_max"),
        ({"late_minutes_max": -1}, "late_minutes_max"),
        ({"short_share_min": 80}, "short_share_min"),
        ({"car_kmh": 0}, "car_kmh"),
        ({"car_kmh": float("nan")}, "car_kmh"),
        ({"zone": "BST"}, "zone"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(values: dict[str, object], field: str) -> None:
    """ "Invalid configuration" helps nobody at a quarter to six."""
    with pytest.raises(PolicyRefused) as refused:
        policy_of(values)
    assert refused.value.field == field
    assert field in str(refused.value)


@pytest.mark.parametrize("text", ["late_minutes_max = 20\n", "[policy\n"])
def test_a_file_without_a_policy_is_refused(tmp_path: Path, text: str) -> None:
    """An empty table would quietly mean all defaults."""
    path = tmp_path / "policy.toml"
    path.write_text(text)
    with pytest.raises(PolicyRefused):
        load_policy(path=path)
