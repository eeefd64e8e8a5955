"""docs/add-a-billing-rule.md, followed literally in a copy of the project: with all four steps it holds, without any one it does not."""

import re
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

ROOT = Path(__file__).parents[3]
GUIDE = Path("docs/add-a-billing-rule.md")
RULES = Path("evm/domain/billing/rules/__init__.py")
STEPS = ("file", "line", "test", "docs")


@pytest.fixture
def copy(tmp_path):
    """The parts of the project that the guide names."""
    for folder in ("evm", "tests/domain/billing"):
        shutil.copytree(ROOT / folder, tmp_path / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for file in ("pyproject.toml", "tests/__init__.py", "tests/domain/__init__.py", str(GUIDE)):
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / file, tmp_path / file)
    return tmp_path


def blocks(language):
    """The guide's code blocks of one language, in order, without their indentation."""
    text = (ROOT / GUIDE).read_text(encoding="utf-8")
    return [dedent(block) for block in re.findall(rf"^ *```{language}\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)]


def follow(copy, *, without=None):
    """Do what the guide says, but for one step."""
    (rule, test), (line, row) = blocks("python"), blocks("text")
    if without != "file":
        (copy / "evm/domain/billing/rules/minimum_call_out.py").write_text(rule, encoding="utf-8")
    if without not in ("file", "line"):
        listed = (copy / RULES).read_text(encoding="utf-8")
        listed = listed.replace("cancellation.RULE,\n", f"cancellation.RULE,\n    {line}")
        listed = re.sub(r"(rules import .*?)(,? *\)?)\n", r"\1, minimum_call_out\2\n", listed, count=1)
        (copy / RULES).write_text(listed, encoding="utf-8")
    if without != "test":
        (copy / "tests/domain/billing/rules/test_minimum_call_out.py").write_text(test, encoding="utf-8")
    if without != "docs":
        guide = (copy / GUIDE).read_text(encoding="utf-8")
        guide = guide.replace("\n| `cancellation` |", f"\n{row}| `cancellation` |")
        (copy / GUIDE).write_text(guide, encoding="utf-8")


def tried(copy, *files):
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *files]
    return subprocess.run(command, cwd=copy, capture_output=True, text=True, timeout=300, check=False)


def test_the_guide_followed_literally_gives_a_whole_rule(copy):
    """A guide that does not work as written, or a law that the example breaks, would break this."""
    follow(copy)
    found = tried(
        copy,
        "tests/domain/billing/test_rules_are_whole.py",
        "tests/domain/billing/rules/test_minimum_call_out.py",
        "tests/domain/billing/test_laws.py",
    )
    assert found.returncode == 0, found.stdout


@pytest.mark.parametrize("step", STEPS)
def test_a_step_left_out_is_noticed(copy, step):
    """A rule without its file, line, test or docs that nobody notices would break this."""
    follow(copy, without=step)
    found = tried(copy, "tests/domain/billing/test_rules_are_whole.py", "tests/domain/billing/rules")
    assert found.returncode == 1, found.stdout
