"""The how-to pages are true: following each literally adds one that works, and leaving out any step is seen."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.contracts.following import (
    Page,
    add_docs_line,
    add_file,
    add_line,
    add_test,
    copy_of_the_folder,
    copy_of_the_tree,
    read_page,
)
from tests.contracts.registries import REGISTRIES, Registry, listed, members, missing

PAGES = {registry.kind: registry for registry in REGISTRIES if registry.page.startswith("docs/add-")}
STEPS = ("file", "line", "test", "docs")


OWN_TESTS = {
    "alert": '''
from evm.domain.alerts.rules import RULES
from evm.domain.alerts.situation import Situation
from evm.domain.evidence import EventKind
from tests.domain.alerts.situations import LONDON
from tests.domain.stories import at, event


def test_a_worker_who_sets_off_late_is_seen_by_the_rules_as_listed():
    """Broken: nobody would hear that the time-critical visit is an hour late."""
    late = Situation(zone=LONDON, event=event(EventKind.ON_MY_WAY, "10:05", words="late"))
    (draft,) = [draft for rule in RULES for draft in rule.drafts(late, at("10:05"))]
    assert "only now setting off" in draft.words
''',
}
"""Tests for pages that say what to test and leave its words to the writer."""


def pytest_in(root: Path, *what: str) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(root)}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", *what]
    return subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)


def follow(registry: Registry, page: Page, *, root: Path, without: str = "") -> str:
    """Every step of the page but one; the new test's id."""
    known = next(iter(members(registry, root=root)))
    if without != "file":
        add_file(registry, page, root=root)
    if without != "line":
        add_line(registry, page, root=root)
    if without != "docs":
        add_docs_line(registry, page, root=root, known=known)
    return "" if without == "test" else add_test(page, root=root, otherwise=OWN_TESTS.get(registry.kind, ""))


@pytest.mark.parametrize("kind", PAGES)
def test_following_the_page_adds_one_that_works(kind: str, tmp_path: Path) -> None:
    """A page that leaves a step out costs the next person an afternoon."""
    registry, root = PAGES[kind], copy_of_the_tree(tmp_path)
    page = read_page(registry)
    test = follow(registry, page, root=root)
    assert page.name in members(registry, root=root)
    assert page.stem in listed(registry, root=root)
    assert missing(registry, root=root) == []
    done = pytest_in(root, test, f"tests/contracts/test_registries.py::test_every_member_has_its_four_parts[{kind}]")
    assert done.returncode == 0, done.stdout + done.stderr
    assert page.name not in members(registry)


@pytest.mark.parametrize("without", STEPS)
@pytest.mark.parametrize("kind", PAGES)
def test_leaving_a_step_out_is_seen(kind: str, without: str, tmp_path: Path) -> None:
    """A contract that does not notice a missing part keeps nothing; each is left out once."""
    registry = PAGES[kind]
    page, root = read_page(registry), copy_of_the_folder(registry, tmp_path)
    follow(registry, page, root=root, without=without)
    found = missing(registry, root=root)
    assert len(found) == 1
    assert page.stem in found[0] or page.name in found[0]
