"""Follows a how-to page literally in a copy of the tree: its file, its line in the tuple, its test, its line in the docs."""

import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from tests.contracts.registries import ROOT, Registry

PARTS = ("evm", "rostering", "devices", "tests", "docs")
BLOCK = re.compile(r"^(?P<indent> *)```python\n(?P<code>.*?)^ *```", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """What a page tells one to write. `entry` is the element of the tuple; `test` is the page's own test code, if it gives any."""

    name: str
    stem: str
    code: str
    entry: str
    test_path: str
    test: str


def copy_of_the_tree(to: Path) -> Path:
    """The source, tests and docs that adding something touches, and what pytest needs."""
    wanted = shutil.ignore_patterns("__pycache__", ".hypothesis")
    for part in PARTS:
        shutil.copytree(ROOT / part, to / part, ignore=wanted)
    shutil.copy(ROOT / "pyproject.toml", to)
    return to


def copy_of_the_folder(registry: Registry, to: Path) -> Path:
    """Only what the contract reads of one folder: quick, and nothing in it can be run."""
    for part in (registry.folder, registry.tests, "docs"):
        shutil.copytree(ROOT / part, to / part, ignore=shutil.ignore_patterns("__pycache__"))
    return to


def read_page(registry: Registry) -> Page:
    """Take the page apart; AssertionError says what it does not tell."""
    words = (ROOT / registry.page).read_text(encoding="utf-8")
    blocks = [_dedented(match) for match in BLOCK.finditer(words)]
    sources = [block for block in blocks if "def test_" not in block]
    tests = [block for block in blocks if "def test_" in block]
    assert sources, f"{registry.page} shows no file to write"
    code = sources[0]
    name = re.search(registry.name, code, re.MULTILINE)
    assert name, f"{registry.page}: its example has no name"
    path = re.search(rf"`{re.escape(registry.folder)}/([a-z0-9_<>]+)\.py`", words)
    assert path, f"{registry.page} names no file in {registry.folder}"
    stem = path.group(1).replace("<name>", name.group(1))
    entry = re.search(r"`([A-Za-z0-9_.]+),`|^ *([A-Za-z0-9_.]+),$", words, re.MULTILINE)
    assert entry, f"{registry.page} names no line to add to {registry.tuple_name}"
    test_path = re.search(r"`(tests/[A-Za-z0-9_/<>]+\.py)`", words)
    assert test_path, f"{registry.page} names no test"
    return Page(
        name=name.group(1),
        stem=stem,
        code=code,
        entry=entry.group(1) or entry.group(2),
        test_path=test_path.group(1).replace("<name>", stem),
        test=tests[0] if tests else "",
    )


def add_file(registry: Registry, page: Page, *, root: Path) -> None:
    """Step 1."""
    (root / registry.folder / f"{page.stem}.py").write_text(page.code, encoding="utf-8")


def add_line(registry: Registry, page: Page, *, root: Path) -> None:
    """Step 2: the import and the element at the end of the tuple."""
    path = registry.tuple_file(root)
    text = path.read_text(encoding="utf-8")
    first = page.entry.split(".", maxsplit=1)[0]
    package = registry.folder.replace("/", ".")
    line = f"from {package}.{page.stem} import {first}\n" if first.isupper() else f"from {package} import {first}\n"
    opening = re.search(rf"^{registry.tuple_name}\b[^=]*= \(", text, re.MULTILINE)
    assert opening, f"{path} has no {registry.tuple_name}"
    end = text.index(")", opening.end())
    body = text[opening.end() : end].rstrip()
    joined = body if body.endswith(",") else f"{body},"
    text = f"{text[: opening.end()]}{joined}\n    {page.entry},\n{text[end:]}"
    at = re.search(r"^from (?!__future__)", text, re.MULTILINE)
    assert at, f"{path} imports nothing yet"
    path.write_text(text[: at.start()] + line + text[at.start() :], encoding="utf-8")


def add_test(page: Page, *, root: Path, otherwise: str) -> str:
    """Step 3: the page's own test, or `otherwise` where the page only says what to test; the test's id for pytest."""
    path = root / page.test_path
    code = page.test or otherwise
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    path.write_text(f"{before}\n\n{code}" if before else code, encoding="utf-8")
    name = re.search(r"def (test_\w+)", code)
    assert name
    return f"{page.test_path}::{name.group(1)}"


def add_docs_line(registry: Registry, page: Page, *, root: Path, known: str) -> None:
    """Step 4: a row after that of a member that is there."""
    path = root / registry.page
    text = path.read_text(encoding="utf-8")
    row = re.search(rf"^\| `{re.escape(known)}` \|.*\n", text, re.MULTILINE)
    assert row, f"{registry.page} has no table with a line for {known}"
    columns = row.group(0).count("|") - 1
    new = f"| `{page.name}` |" + " added by a test |" * (columns - 1) + "\n"
    path.write_text(text[: row.end()] + new + text[row.end() :], encoding="utf-8")


def _dedented(match: re.Match[str]) -> str:
    indent = match.group("indent")
    lines = match.group("code").splitlines()
    return "\n".join(line.removeprefix(indent) for line in lines) + "\n"
