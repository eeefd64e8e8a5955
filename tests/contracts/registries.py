"""The folders one adds to, and what an addition needs: its file, its line in the folder's tuple, its test, its line in the docs.
Reads source text under any root, imports nothing: so a copy of the tree can be judged as well."""

import ast
import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Registry:
    """`tuple_name` stands in `folder/__init__.py`; a file of the folder is a member if `mark` matches its text; each member's name is
    its `NAME`, or what `name` finds in its text. Its test is `tests/test_<file>.py`, or its quoted name in a file of `tests`. `page` says how to add one."""

    kind: str
    folder: str
    tuple_name: str
    mark: str
    tests: str
    page: str
    name: str = r'^NAME\b[^=]*= "([^"]+)"'

    def tuple_file(self, root: Path) -> Path:
        return root / self.folder / "__init__.py"


REGISTRIES = (
    Registry(
        kind="billing rule",
        folder="evm/domain/billing/rules",
        tuple_name="RULES",
        mark=r"^RULE\b.*= Rule\(",
        tests="tests/domain/billing/rules",
        page="docs/add-a-billing-rule.md",
    ),
    Registry(
        kind="alert",
        folder="evm/domain/alerts/rules",
        tuple_name="RULES",
        mark=r"^RULE\b.*= AlertRule\(",
        tests="tests/domain/alerts/rules",
        page="docs/add-an-alert.md",
    ),
    Registry(
        kind="device",
        folder="devices/types",
        tuple_name="TYPES",
        mark=r"^[A-Z0-9_]+\b.*= DeviceType\(",
        tests="tests/devices/types",
        page="docs/add-a-device.md",
    ),
    Registry(
        kind="constraint",
        folder="rostering/constraints",
        tuple_name="CONSTRAINTS",
        mark=r"^CONSTRAINT\b.*= Constraint\(",
        tests="tests/rostering",
        page="docs/add-a-constraint.md",
    ),
    Registry(
        kind="format",
        folder="rostering/formats",
        tuple_name="FORMATS",
        mark=r"^def write\(",
        tests="tests/rostering",
        page="docs/reference.md",
    ),
    Registry(
        kind="import",
        folder="evm/services/imports/kinds",
        tuple_name="KINDS",
        mark=r"^    def take\(",
        tests="tests/services/imports",
        page="docs/add-an-import.md",
        name=r'^    name: str = "([^"]+)"',
    ),
)


def members(registry: Registry, *, root: Path = ROOT) -> dict[str, str]:
    """Name -> file stem of every file of the folder that is a member, listed in the tuple or not."""
    found: dict[str, str] = {}
    for path in sorted((root / registry.folder).glob("*.py")):
        text = path.read_text(encoding="utf-8")
        name = re.search(registry.name, text, re.MULTILINE)
        if path.name != "__init__.py" and re.search(registry.mark, text, re.MULTILINE):
            found[name.group(1) if name else f"{path.name} without NAME"] = path.stem
    return found


def listed(registry: Registry, *, root: Path = ROOT) -> list[str]:
    """File stems of the members listed in the tuple, in its order."""
    tree = ast.parse(registry.tuple_file(root).read_text(encoding="utf-8"))
    modules = {
        alias.asname or alias.name: node.module.rsplit(".", 1)[-1] if alias.name.isupper() else alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module
        for alias in node.names
    }
    for node in tree.body:
        targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
        if any(isinstance(target, ast.Name) and target.id == registry.tuple_name for target in targets):
            value = node.value  # type: ignore[attr-defined]
            return [modules[_first_name(element)] for element in value.elts]
    raise AssertionError(f"{registry.tuple_file(root)} has no {registry.tuple_name}")


def missing(registry: Registry, *, root: Path = ROOT) -> list[str]:
    """What additions to this folder lack, as sentences; empty when each has its four parts."""
    named, in_tuple = members(registry, root=root), listed(registry, root=root)
    page = root / registry.page
    words = page.read_text(encoding="utf-8") if page.exists() else ""
    found = [
        f"{stem} is listed in {registry.tuple_name} and is no file" for stem in in_tuple if stem not in named.values()
    ]
    found += [f"{stem} is listed twice" for stem in sorted(set(in_tuple)) if in_tuple.count(stem) > 1]
    for name, stem in named.items():
        if stem not in in_tuple:
            found.append(f"{registry.kind} {name} is not listed in {registry.tuple_name}")
        if not _has_test(registry, name=name, stem=stem, root=root):
            found.append(f"{registry.kind} {name} has no test in {registry.tests}")
        if not re.search(rf"^\| `{re.escape(name)}` \|", words, re.MULTILINE):
            found.append(f"{registry.kind} {name} has no line in {registry.page}")
    return found


def _has_test(registry: Registry, *, name: str, stem: str, root: Path) -> bool:
    tests = root / registry.tests
    if (tests / f"test_{stem}.py").exists():
        return True
    return any(f'"{name}"' in path.read_text(encoding="utf-8") for path in tests.glob("test_*.py"))


def _first_name(element: ast.expr) -> str:
    while isinstance(element, ast.Attribute):
        element = element.value
    assert isinstance(element, ast.Name), ast.dump(element)
    return element.id
