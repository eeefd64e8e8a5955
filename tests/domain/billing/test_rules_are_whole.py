"""A billing rule is a file, a line in RULES, a test and a line in the docs; none may be missing."""

from pathlib import Path

import pytest

from evm.domain.billing.rules import RULES

ROOT = Path(__file__).parents[3]
FILES = {path.stem for path in (ROOT / "evm/domain/billing/rules").glob("*.py")} - {"__init__"}
TESTS = {path.stem.removeprefix("test_") for path in (ROOT / "tests/domain/billing/rules").glob("test_*.py")}


def test_every_file_is_a_rule_and_every_rule_a_file():
    """A rule written and never listed, or listed twice, would break this."""
    names = [rule.name for rule in RULES]
    assert sorted(names) == sorted(FILES)


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_rule_has_its_test_and_its_line_in_the_docs(rule):
    """A rule nobody tests, or nobody can look up, would break this."""
    assert rule.name in TESTS
    assert f"\n| `{rule.name}` |" in (ROOT / "docs/add-a-billing-rule.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_rule_declares_a_law(rule):
    """A rule that promises nothing is held to nothing."""
    assert rule.laws
