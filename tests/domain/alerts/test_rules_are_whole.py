"""An alert rule is a file, a line in RULES, a test and a line in the docs; none may be missing."""

from pathlib import Path

import pytest

from evm.domain.alerts.rules import RULES

ROOT = Path(__file__).parents[3]
FILES = {path.stem for path in (ROOT / "evm/domain/alerts/rules").glob("*.py")} - {"__init__"}
TESTS = {path.stem.removeprefix("test_") for path in (ROOT / "tests/domain/alerts/rules").glob("test_*.py")}


def test_every_file_is_a_rule_and_every_rule_a_file():
    """Broken: a rule written and never listed, or listed twice."""
    assert sorted(rule.name for rule in RULES) == sorted(FILES)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_rule_has_its_test_and_its_line_in_the_docs(rule):
    """Broken: a rule nobody tests, or nobody can look up."""
    assert rule.name in TESTS
    assert f"| `{rule.name}` |" in (ROOT / "docs/add-an-alert.md").read_text(encoding="utf-8")
