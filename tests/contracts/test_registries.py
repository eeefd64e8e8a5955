"""Every rule, alert, device type, constraint and format has its file, its line in the tuple, its test and its line in the docs."""

import pytest

from tests.contracts.registries import REGISTRIES, ROOT, Registry, listed, members, missing


@pytest.mark.parametrize("registry", REGISTRIES, ids=lambda registry: registry.kind)
def test_every_member_has_its_four_parts(registry: Registry) -> None:
    """A rule that is listed nowhere does nothing; one without a test or a line in the docs is one nobody can trust or find."""
    assert missing(registry) == []


@pytest.mark.parametrize("registry", REGISTRIES, ids=lambda registry: registry.kind)
def test_the_folder_is_not_misread(registry: Registry) -> None:
    """A contract that finds no members would hold whatever is missing: it must find as many as the tuple really has."""
    package = __import__(registry.folder.replace("/", "."), fromlist=[registry.tuple_name])
    assert len(listed(registry)) == len(members(registry)) == len(getattr(package, registry.tuple_name)) > 0


@pytest.mark.parametrize("registry", REGISTRIES, ids=lambda registry: registry.kind)
def test_contributing_says_where_to_add_one(registry: Registry) -> None:
    """Someone new begins at CONTRIBUTING: it must name the folder and the page."""
    words = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert registry.folder in words
    assert registry.page in words
