"""Imports point down only: the contracts of pyproject.toml hold, and a broken one is seen."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.contracts.registries import ROOT

PACKAGES = ("evm", "rostering", "devices", "api", "simulations")
LINT = "from importlinter.cli import lint_imports_command; lint_imports_command(args=['--no-cache'])"


def lint(root: Path) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(root), "NO_COLOR": "1"}
    return subprocess.run(
        [sys.executable, "-c", LINT], cwd=root, env=environment, capture_output=True, text=True, check=False
    )


def copy_of_the_tree(to: Path) -> Path:
    """The packages' Python files and pyproject.toml."""
    wanted = shutil.ignore_patterns("__pycache__", "static", "templates", "client", "*.json", "*.css")
    for package in PACKAGES:
        shutil.copytree(ROOT / package, to / package, ignore=wanted)
    shutil.copy(ROOT / "pyproject.toml", to)
    return to


def test_the_import_contracts_hold() -> None:
    """An import that points up makes the pure parts depend on the database, the broker or the clock."""
    done = lint(ROOT)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_domain_module_that_imports_the_database_breaks_a_contract(tmp_path: Path) -> None:
    """A linter that passes whatever is written would keep nothing."""
    root = copy_of_the_tree(tmp_path)
    broken = root / "evm" / "domain" / "money.py"
    broken.write_text(broken.read_text(encoding="utf-8") + "\nimport sqlalchemy\n", encoding="utf-8")
    done = lint(root)
    assert done.returncode != 0
    assert "The domain is pure BROKEN" in done.stdout
