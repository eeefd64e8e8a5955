"""Names of the house: no module is called after nothing in particular, and each says what it is."""

import ast
from pathlib import Path

from tests.contracts.registries import ROOT

PACKAGES = ("evm", "rostering", "devices", "api", "simulations")
BANNED = frozenset(
    {"utils", "util", "helpers", "helper", "manager", "managers", "data", "process", "common", "misc", "core", "base"}
)
ALLOWED = frozenset(
    {
        "evm/store/tables/base.py",  # SQLAlchemy's own word for the metadata that tables share
        "devices/mosquitto/process.py",  # an operating system's process, the very thing
    }
)
LINES_MAX = 500
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))

TEXTS = {path: path.read_text(encoding="utf-8") for path in MODULES}
MIGRATIONS = frozenset((ROOT / "evm/store/migrations").rglob("*.py"))


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def test_no_module_or_folder_has_a_name_that_says_nothing() -> None:
    """`utils` gathers whatever nobody found a place for: style.md bans such names."""
    named = {_name(path) for path in MODULES if BANNED & {path.stem, *path.relative_to(ROOT).parts[:-1]}}
    assert named - ALLOWED == set()


def test_every_module_opens_with_what_it_is() -> None:
    """The first sentence is how one finds the right file; an empty package file needs none."""
    silent = {
        _name(path)
        for path, text in TEXTS.items()
        if text.strip() and path not in MIGRATIONS and not ast.get_docstring(ast.parse(text))
    }
    assert silent == set()


def test_no_module_is_longer_than_people_can_hold_in_mind() -> None:
    """style.md: around 250 lines, seldom over 400; 500 is where it must be split."""
    long = {_name(path): text.count("\n") for path, text in TEXTS.items() if text.count("\n") > LINES_MAX}
    assert {name: lines for name, lines in long.items() if not name.startswith("evm/store/migrations")} == {}


def test_nothing_unfinished_is_committed() -> None:
    """A placeholder that passes its tests is a promise nobody made."""
    words = ("TODO", "FIXME", "XXX", "NotImplementedError")
    unfinished = {(_name(path), word) for path, text in TEXTS.items() for word in words if word in text}
    assert unfinished == set()
